/// The token ids of a record, and which of them a model is to learn to predict.
public struct TrainingSample: Sendable, Hashable {
  /// The token ids, from 0.
  public var tokens: [Int32]
  /// For each token, whether its prediction counts in the loss.
  public var counts: [Bool]

  /// Creates a sample.
  ///
  /// - Parameters:
  ///   - tokens: The token ids.
  ///   - counts: For each token, whether its prediction counts; nil if all do.
  public init(_ tokens: [Int32], counts: [Bool]? = nil) {
    self.tokens = tokens
    self.counts = counts ?? Array(repeating: true, count: tokens.count)
  }

  /// Adds tokens that all count or all do not.
  public mutating func append(_ ids: [Int32], counts isCounted: Bool) {
    tokens += ids
    counts += Array(repeating: isCounted, count: ids.count)
  }
}

/// Turns records into tokens.
///
/// One encoder is used by several threads at once.
public protocol RecordEncoder: Sendable {
  /// What decides the result for a given record: the tokenizer, the template and the options.
  ///
  /// Encoders with equal identities turn equal records into equal samples. Tokens that were kept
  /// are used again if the identity is the same.
  var identity: String { get }

  /// Turns a record into tokens; nil if there is nothing in it to learn from.
  func encode(_ record: Record) throws -> TrainingSample?
}

/// Turns texts into tokens, all of which count.
///
///     document   [beginning of text]  tokens …  [end of text]
public struct TextEncoder: RecordEncoder {
  /// The tokenizer's name and the tokens put around documents.
  public let identity: String
  private let tokenize: @Sendable (String) throws -> [Int32]
  private let beginningOfText: Int32?
  private let endOfText: Int32?

  /// Creates an encoder.
  ///
  /// - Parameters:
  ///   - tokenizer: What the tokenizer is called: equal names for equal tokenizers only, such as
  ///     a hash of its file.
  ///   - beginningOfText: The token put before every document; nil for none.
  ///   - endOfText: The token put after every document; nil for none.
  ///   - tokenize: Turns a text into ids and adds nothing.
  public init(
    tokenizer: String,
    beginningOfText: Int32? = nil,
    endOfText: Int32?,
    tokenize: @escaping @Sendable (String) throws -> [Int32]
  ) {
    func name(_ id: Int32?) -> String { id.map { "\($0)" } ?? "none" }
    identity = "text, tokenizer \(tokenizer), from \(name(beginningOfText)) to \(name(endOfText))"
    (self.beginningOfText, self.endOfText) = (beginningOfText, endOfText)
    self.tokenize = tokenize
  }

  /// Turns a text, or a piece of one, into tokens.
  ///
  /// - Throws: ``DatasetError`` if the record is a conversation, and what the tokenizer throws.
  public func encode(_ record: Record) throws -> TrainingSample? {
    guard case .text(let text) = record.content else {
      throw DatasetError(
        .brokenRecord,
        "this is a conversation, and texts are asked for",
        at: record.location,
        remedy: "use a model with a chat template, or name another form of records"
      )
    }
    guard !text.isEmpty || !(record.startsDocument && record.endsDocument) else { return nil }
    var tokens = record.startsDocument ? beginningOfText.map { [$0] } ?? [] : []
    tokens += try tokenize(text)
    if record.endsDocument, let endOfText { tokens.append(endOfText) }
    return TrainingSample(tokens)
  }
}

/// Turns conversations into tokens, of which by default only those of answers count.
public struct ConversationEncoder: RecordEncoder {
  /// Parts of a rendered conversation, and whether each belongs to an answer.
  public typealias Segments = [(text: String, isAnswer: Bool)]

  /// The tokenizer's and template's names, and what counts.
  public let identity: String
  private let render: @Sendable (Conversation) throws -> Segments
  private let tokenize: @Sendable (Segments) throws -> TrainingSample
  private let answersOnly: Bool

  /// Creates an encoder.
  ///
  /// - Parameters:
  ///   - identity: Names the tokenizer and the template: equal for equal ones only.
  ///   - answersOnly: Whether the prediction of answers alone counts.
  ///   - render: Writes a conversation out with the template's marks. The marks that end an
  ///     answer belong to it: a model has to learn to stop.
  ///   - tokenize: Turns the parts into ids, and marks the tokens of answers as counted.
  public init(
    identity: String,
    answersOnly: Bool = true,
    render: @escaping @Sendable (Conversation) throws -> Segments,
    tokenize: @escaping @Sendable (Segments) throws -> TrainingSample
  ) {
    self.identity = "conversations, \(identity), \(answersOnly ? "answers only" : "all counted")"
    (self.answersOnly, self.render, self.tokenize) = (answersOnly, render, tokenize)
  }

  /// Creates an encoder that turns each part into ids by itself.
  ///
  /// That gives the ids of the whole text if parts meet at special tokens.
  ///
  /// - Parameters:
  ///   - identity: Names the tokenizer and the template: equal for equal ones only.
  ///   - answersOnly: Whether the prediction of answers alone counts.
  ///   - render: Writes a conversation out with the template's marks.
  ///   - encode: Turns a text into ids and adds nothing.
  public init(
    identity: String,
    answersOnly: Bool = true,
    render: @escaping @Sendable (Conversation) throws -> Segments,
    encode: @escaping @Sendable (String) throws -> [Int32]
  ) {
    self.init(identity: "parts alone, \(identity)", answersOnly: answersOnly, render: render) {
      var sample = TrainingSample([])
      for segment in $0 where !segment.text.isEmpty {
        sample.append(try encode(segment.text), counts: segment.isAnswer)
      }
      return sample
    }
  }

  /// Turns a conversation into tokens; nil if no token of it counts.
  ///
  /// - Throws: ``DatasetError`` if the record is a text, and what the template or the tokenizer
  ///   throws.
  public func encode(_ record: Record) throws -> TrainingSample? {
    guard case .conversation(let conversation) = record.content else {
      throw DatasetError(
        .brokenRecord,
        "this is a text, and conversations are asked for",
        at: record.location,
        remedy: "name data with messages, or train on texts"
      )
    }
    var sample: TrainingSample
    do {
      sample = try tokenize(render(conversation))
    } catch {
      throw DatasetError(
        .brokenRecord,
        "the conversation cannot be written out (\(error))",
        at: record.location,
        remedy: "correct or leave out the record, or use another chat template"
      )
    }
    guard sample.counts.dropFirst().contains(true) else { return nil }
    if !answersOnly { sample = TrainingSample(sample.tokens) }
    return sample
  }
}

/// Turns texts into tokens by one encoder and conversations by another.
public struct MixedEncoder: RecordEncoder {
  private let text: any RecordEncoder
  private let conversation: any RecordEncoder

  /// Creates an encoder of two.
  public init(text: any RecordEncoder, conversation: any RecordEncoder) {
    (self.text, self.conversation) = (text, conversation)
  }

  /// The identities of both encoders.
  public var identity: String { "\(text.identity); \(conversation.identity)" }

  /// Turns a record into tokens by the encoder for its kind.
  public func encode(_ record: Record) throws -> TrainingSample? {
    switch record.content {
    case .text: try text.encode(record)
    case .conversation: try conversation.encode(record)
    }
  }
}
