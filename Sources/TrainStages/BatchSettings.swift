public import Datasets
package import Models
public import Pipeline

/// How data is read and put into batches.
public struct BatchSettings: OptionGroup {
  /// The shares of the data sets.
  public var weights: [Double] = []
  /// What the records are.
  public var form = RecordForm.detected
  /// The field with the text.
  public var textField = "text"
  /// Where documents of a plain text end.
  public var separator: String?
  /// Whether broken lines are skipped.
  public var skipBroken = false
  /// Which parts of conversations count.
  public var answers = AnswerChoice.all
  /// How documents are put into rows.
  public var packing: Packing?
  /// What becomes of documents that do not fit.
  public var overlong = OverlongRule.error
  /// Whether documents in a row do not see each other.
  public var separatesDocuments = true
  /// Whether the order is random.
  public var shuffles = true
  /// Sequences of a step.
  public var batch = 8
  /// Tokens of a sequence.
  public var length = 512
  /// Parts in which a step is computed.
  public var accumulation = 1

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<BatchSettings>] {
    [
      .field(
        "weights",
        \.weights,
        "The shares of the data sets in the batches, in their order; if not given, each "
          + "is gone through once in an epoch."
      ),
      .field("form", \.form, "What the records of the data are."),
      .field("text_field", \.textField, "The field of a JSON record that holds its text."),
      .field(
        "separator",
        \.separator,
        "What ends a document in plain text, such as `<|endoftext|>`; `blank_lines` for empty "
          + "lines. Without one a file is one document."
      ),
      .field(
        "skip_broken",
        \.skipBroken,
        "Whether broken lines of JSON are skipped and counted in the report. Otherwise they end "
          + "the run."
      ),
      .field(
        "answers",
        \.answers,
        "Which answers of a conversation count in the loss."
      ),
      .field(
        "packing",
        \.packing,
        "How documents are put into rows: by default `packed` for texts and `whole` for "
          + "conversations."
      ),
      .field(
        "overlong",
        \.overlong,
        "What becomes of documents longer than a row, where they may not be cut anywhere."
      ),
      .field(
        "separate_documents",
        \.separatesDocuments,
        "Whether attention stays inside a document where several share a row."
      ),
      .field("shuffle", \.shuffles, "Whether documents and rows come in a random order."),
      .field("batch", \.batch, in: 1...65_536, "Sequences in a step."),
      .field(
        "length",
        \.length,
        in: 2...1_048_576,
        "Tokens in a sequence, at most the model's context."
      ),
      .field(
        "accumulation",
        \.accumulation,
        in: 1...65_536,
        "Parts in which a step's sequences are computed one after another; more parts need less "
          + "memory."
      ),
    ]
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    if let weight = weights.first(where: { !($0 > 0) }) {
      problems.append(StageProblem("a weight of \(weight) is not above 0", option: "weights"))
    }
    if !batch.isMultiple(of: accumulation) {
      problems.append(
        StageProblem("\(batch) sequences cannot be divided by it evenly", option: "accumulation")
      )
    }
    if separator?.isEmpty == true {
      problems.append(StageProblem("the separator is empty", option: "separator"))
    }
    return problems
  }

  /// Finds sequences that are longer than a model's context.
  package func lengthProblems(_ model: ModelConfiguration) -> [StageProblem] {
    guard length > model.contextLength else { return [] }
    return [
      StageProblem(
        "sequences of \(length) tokens exceed the model's context of \(model.contextLength)",
        option: "length"
      )
    ]
  }

  var records: RecordOptions {
    RecordOptions(
      form: form,
      textField: textField,
      separator: separator.map { $0 == "blank_lines" ? .blankLines : .text($0) } ?? .none,
      skipBroken: skipBroken
    )
  }
}

/// Which parts of a conversation count in the loss.
public enum AnswerChoice: String, RecipeChoice {
  case all, last, none

  /// What the choice means.
  public var summary: String {
    switch self {
    case .all: "every answer of the assistant"
    case .last: "the last answer, for templates that write earlier turns in another form"
    case .none: "everything counts, questions too"
    }
  }
}

extension RecordForm: RecipeChoice {
  /// What the choice means.
  public var summary: String {
    switch self {
    case .detected: "by the file's name and the keys of the first record"
    case .plainText: "plain text, whatever the file's name"
    case .text: #"JSON lines with a text in one field, `{"text": …}`"#
    case .messages: #"conversations as `{"messages": [{"role": …, "content": …}]}`"#
    case .turns: #"conversations as `{"conversations": [{"from": …, "value": …}]}`"#
    case .promptResponse: #"`{"prompt": …, "response": …}`"#
    case .questionAnswer: #"`{"question": …, "answer": …}`"#
    case .instruction: #"`{"instruction": …, "input": …, "output": …}`"#
    }
  }
}

extension Packing: RecipeChoice {
  /// What the choice means.
  public var summary: String {
    switch self {
    case .packed: "documents one after another, cut where a row is full"
    case .whole: "as many whole documents in a row as fit"
    case .padded: "one document in a row"
    }
  }
}

extension OverlongRule: RecipeChoice {
  /// What the choice means.
  public var summary: String {
    switch self {
    case .error: "it ends the run"
    case .cut: "its end is cut off"
    case .drop: "it is left out, and counted in the report"
    }
  }
}
