public import Pipeline

/// What is measured while training.
public struct ValidationOptions: OptionGroup {
  /// What to measure on.
  public var data: [DataInput] = []
  /// The part of the training data that is set aside instead.
  public var fraction = 0.0
  /// Steps between measurements.
  public var every = 100
  /// Tokens to measure on at most.
  public var tokens = 16_384
  /// Measurements without improvement after which training ends.
  public var patience: Int?
  /// Whether the best parameters result.
  public var keepBest = true

  /// Creates the defaults: no validation.
  public init() {}

  /// The options.
  public static var fields: [Field<ValidationOptions>] {
    [
      .field("data", \.data, "What to measure on, read as the training data is."),
      .field(
        "fraction",
        \.fraction,
        in: 0..<1,
        "Without `data`: how much of the training data's end is set aside to measure on; 0 for "
          + "no validation. Not used with `data`."
      ),
      .field("every", \.every, in: 1..., "Steps from one measurement to the next."),
      .field("tokens", \.tokens, in: 1..., "How many tokens are measured on at most."),
      .field(
        "patience",
        \.patience,
        in: 1...,
        "After how many measurements without improvement training ends early; `null` for never."
      ),
      .field(
        "keep_best",
        \.keepBest,
        "Whether the result is what had the least validation loss, the start included."
      ),
    ]
  }

  /// Whether anything is measured.
  package var isOn: Bool { !data.isEmpty || fraction > 0 }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    if patience != nil && !isOn {
      problems.append(
        StageProblem("needs `data` or `fraction` to measure on", option: "patience")
      )
    }
    return problems
  }
}
