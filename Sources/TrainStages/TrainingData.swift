internal import Crypto
package import Datasets
internal import Foundation
package import Models
package import Pipeline
internal import Tokenizers

/// What a training learns from, and what it is measured on, as tokens.
package struct TrainingData {
  private let place: StreamPlace
  /// Rows to measure on, cut to the tokens asked for; empty for no validation.
  package let validation: [TokenBatch]
  /// What became of the documents of each data set.
  package let counts: [PackingCounts]
  /// What was read of each data set.
  package let summaries: [(name: String, summary: TokenStore.Summary)]
  /// Rows in all epochs asked for, if the number of steps follows from them.
  package let rowsPerEpoch: Int
  /// The largest id of any token.
  package let largestToken: Int32
  /// What decides the batches.
  package let fingerprint: String
  private let stores: [TokenStore]

  /// Reads the data.
  ///
  /// - Parameters:
  ///   - options: What to read.
  ///   - model: Whose tokenizer makes tokens, all of which must be in its vocabulary.
  ///   - context: Where tokens are kept, and who is told about progress.
  ///   - keepsRows: Whether every epoch has the same rows.
  /// - Throws: `DatasetError`, or what reading the tokenizer throws.
  package init(
    _ options: TrainOptions,
    _ model: LanguageModel,
    _ context: StageContext,
    keepsRows: Bool = false
  ) throws {
    let encoder = try RecordEncoders(model, options.batches)
    let cache = context.stateFolder.appending(path: "tokens")
    let settings = options.batches
    func store(_ input: DataInput) throws -> TokenStore {
      let source = try input.source(context.paths, settings.records)
      let store = try TokenStore(source, encoder: encoder.both, cacheFolder: cache) { tokens in
        context.progress(0, of: 0, unit: "steps", "reading \(input.text): \(tokens) tokens")
      }
      try Self.requireInVocabulary(store, model)
      return store
    }
    func source(_ slice: TokenSlice, weight: Double? = nil) -> BatchSource {
      let isText = slice.store.summary.records.conversations == 0
      return BatchSource(
        slice,
        packing: settings.packing ?? (isText ? .packed : .whole),
        weight: weight
      )
    }
    let stores = try options.data.map(store)
    summaries = stores.map { ($0.name, $0.summary) }
    var training = stores.map(\.all)
    var held: [TokenSlice] = []
    if !options.validation.data.isEmpty {
      held = try options.validation.data.map { try store($0).all }
    } else if options.validation.fraction > 0 {
      let parts = try stores.map {
        try $0.all.split(
          lastFraction: options.validation.fraction,
          keepsDocumentsWhole: source($0.all).packing != .packed
        )
      }
      training = parts.map(\.first)
      held = parts.map(\.last)
    }
    let weights = settings.weights
    let sources = training.enumerated().map { index, slice in
      source(slice, weight: weights.isEmpty ? nil : weights[index])
    }
    var rows = BatchOptions(
      length: settings.length,
      overlong: settings.overlong,
      separatesDocuments: settings.separatesDocuments,
      shuffles: settings.shuffles,
      keepsRows: keepsRows,
      seed: context.seed,
      paddingToken: model.configuration.endOfText.first { $0 < model.configuration.vocabularySize }
        ?? 0
    )
    let stream = try BatchStream(sources, options: rows)
    place = StreamPlace(stream)
    counts = stream.counts
    rowsPerEpoch = stream.counts.reduce(0) { $0 + $1.rows }
    rows.shuffles = false
    validation = try Self.rows(held.map { source($0) }, rows, options)
    self.stores = stores + held.map(\.store)
    largestToken = self.stores.map(\.summary.largestToken).max() ?? 0
    fingerprint = ([stream.state.order] + held.map { "\($0.store.key) \($0.tokens)" }).joined(
      separator: " "
    )
  }

  /// The first token that is not one of those known, and the data set that it is in.
  ///
  /// - Parameter known: For each id, whether it is known.
  /// - Returns: Its id and the data set's name; nil if all are known.
  package func firstToken(outside known: [Bool]) -> (token: Int32, name: String)? {
    for store in stores {
      if let token = store.firstToken(outside: known) { return (token, store.name) }
    }
    return nil
  }

  /// The batch of a step and part: the same one whenever it is asked.
  package func batch(step: Int, part: Int, _ settings: BatchSettings) throws -> TokenBatch {
    let rows = settings.batch / settings.accumulation
    let first = (step - 1) * settings.batch + part * rows
    guard let batch = try place.batch(rows: rows, from: first) else {
      throw DatasetError(
        .tooShort,
        "the data ends before step \(step)",
        at: summaries.map(\.name).joined(separator: ", "),
        remedy: "train for fewer steps"
      )
    }
    return batch
  }

  private static func rows(
    _ sources: [BatchSource],
    _ rows: BatchOptions,
    _ options: TrainOptions
  ) throws -> [TokenBatch] {
    guard !sources.isEmpty else { return [] }
    let once = sources.map { source in
      var source = source
      source.epochs = 1
      return source
    }
    var stream = try BatchStream(once, options: rows)
    var batches: [TokenBatch] = []
    var tokens = 0
    let count = options.batches.batch / options.batches.accumulation
    while tokens < options.validation.tokens, let batch = stream.next(rows: count) {
      tokens += batch.countedTargets
      if batch.countedTargets > 0 { batches.append(batch) }
    }
    return batches
  }

  private static func requireInVocabulary(_ store: TokenStore, _ model: LanguageModel) throws {
    let largest = Int(store.summary.largestToken)
    guard largest >= model.configuration.vocabularySize else { return }
    throw DatasetError(
      .otherData,
      "the tokenizer gives token \(largest), and the model has "
        + "\(model.configuration.vocabularySize)",
      at: store.name,
      remedy: "tokenizer and weights belong to different models"
    )
  }
}

/// A stream at the place where it was read last: batches are mostly asked for in order, and
/// going to another place takes longer.
private final class StreamPlace {
  private var stream: BatchStream

  init(_ stream: BatchStream) { self.stream = stream }

  func batch(rows: Int, from first: Int) throws(DatasetError) -> TokenBatch? {
    var state = stream.state
    if state.rows != first {
      state.rows = first
      try stream.restore(state)
    }
    return stream.next(rows: rows)
  }
}

/// How records become tokens with a model's tokenizer and chat template.
package struct RecordEncoders {
  package let both: any RecordEncoder

  /// Makes encoders of a model's tokenizer and chat template.
  package init(_ model: LanguageModel, _ settings: BatchSettings) throws {
    let tokenizer = try model.tokenizer()
    let identity = try Self.identity(of: model)
    let text = TextEncoder(
      tokenizer: identity,
      beginningOfText: try tokenizer.addedBeginning(),
      endOfText: model.configuration.endOfText.first
    ) { try tokenizer.encode($0) }
    guard let template = try model.companions.chatTemplate() else {
      both = text
      return
    }
    let chat = try ChatRenderer(template, model.companions, settings.answers)
    let conversation = ConversationEncoder(
      identity: "\(identity) \(chat.identity)",
      answersOnly: settings.answers != .none,
      render: { try chat.segments($0) },
      tokenize: { try chat.sample($0, tokenizer) }
    )
    both = MixedEncoder(text: text, conversation: conversation)
  }

  /// A hash of the files that decide how text becomes tokens.
  private static func identity(of model: LanguageModel) throws -> String {
    var hash = SHA256()
    for file in model.companions.files where file.name.contains("token") {
      hash.update(data: Data(file.name.utf8))
      hash.update(data: try file.read())
    }
    return hash.finalize().prefix(8).map { String($0, radix: 16) }.joined(separator: "-")
  }
}
