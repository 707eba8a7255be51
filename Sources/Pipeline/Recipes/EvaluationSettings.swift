/// How perplexity is taken.
public enum EvaluationProtocol: String, RecipeChoice {
  /// Every prediction of every window counts.
  case windows
  /// Only predictions of the second half of a window count, as llama.cpp's perplexity tool does.
  case llamaCPP = "llama.cpp"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .windows: "every prediction of every window counts"
    case .llamaCPP:
      "only the second half of a window counts, so that numbers compare with llama.cpp's"
    }
  }
}

/// Which results are measured beside the baseline.
public enum MeasuredResults: String, RecipeChoice {
  /// The model after every stage that changes it, and every exported file.
  case stages
  /// Exported files; without any, the last model.
  case exports

  /// What the choice means.
  public var summary: String {
    switch self {
    case .stages: "every stage that changes the model, and every exported file"
    case .exports: "exported files only; without any, the last model"
    }
  }
}

/// What is measured on the baseline, after every stage that changes the model, and on every
/// exported file.
public struct EvaluationSettings: OptionGroup {
  /// The text on which perplexity is taken.
  public var perplexity = TextInput.builtinEvaluation
  /// How perplexity is taken.
  public var `protocol` = EvaluationProtocol.windows
  /// The window's length in tokens.
  public var context = 512
  /// How many tokens of the text are used at most; nil for all.
  public var tokens: Int? = 20_480
  /// Whether outputs are compared with the baseline's.
  public var agreement = true
  /// Which results are measured beside the baseline.
  public var after = MeasuredResults.stages

  /// Creates the defaults.
  public init() {}

  /// What decides a measurement: everything but which results are measured.
  var withoutChoice: EvaluationSettings {
    var settings = self
    settings.after = .stages
    return settings
  }

  /// The options.
  public static var fields: [Field<EvaluationSettings>] {
    [
      .field(
        "perplexity",
        \.perplexity,
        "The text on which perplexity is measured. `builtin:evaluation` comes with the tool."
      ),
      .field("protocol", \.protocol, "How perplexity is measured."),
      .field("context", \.context, in: 2...1_048_576, "Length of a window in tokens."),
      .field(
        "tokens",
        \.tokens,
        in: 2...,
        "Most tokens of the text to use; `null` uses the whole text."
      ),
      .field(
        "agreement",
        \.agreement,
        "Whether outputs are compared with the baseline's (`kl_mean`, `top1_agreement`)."
      ),
      .field(
        "after",
        \.after,
        "After what is measured, beside the baseline. `stages` tells what each stage gave and took "
          + "for one measurement more a stage, whose time `plan` estimates."
      ),
    ]
  }
}
