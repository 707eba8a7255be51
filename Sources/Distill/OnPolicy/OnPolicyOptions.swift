public import Pipeline
internal import TrainStages

/// How a student learns from texts of its own.
///
/// A model that only ever sees others' texts while it is distilled meets, when it writes, places
/// that it was never taught at: behind its own mistakes. In a share of the steps, drawn by the
/// seed, the student therefore continues the beginnings of the step's rows first, all rows
/// together, and the loss is taken on what it wrote, with what the teacher would have said there. No
/// gradient passes through the choice of tokens.
///
/// Source: Agarwal et al., *On-Policy Distillation of Language Models: Learning from Self-Generated
/// Mistakes*, 2023, arXiv:2306.13649, algorithm 1; `share` is its λ, and GKD's divergence is
/// `loss: jensen_shannon`. As in TRL's GKDTrainer the choice is made once for all rows of a step.
/// Differs from both in that texts without questions have prompts too, their first tokens; that the
/// cross-entropy with a row's own tokens, if asked for, is left out of such steps, as a student's
/// own tokens are nothing to imitate; and from TRL in that the parts of a step, where it has
/// several, are all sampled or none. TRL's `seq_kd`, texts sampled from the teacher, is not offered
/// here: they are data that can be written beforehand.
public struct OnPolicyOptions: OptionGroup {
  /// The share of the steps.
  public var share = 0.5
  /// How many tokens of a row are continued, if it holds no question.
  public var prompt = 32
  /// The most tokens that are sampled for a row.
  public var tokens: Int?
  /// What logits are divided by in sampling.
  public var temperature = 1.0
  /// How many of the most probable tokens may be chosen.
  public var topK: Int?
  /// The least total probability of the most probable tokens that may be chosen.
  public var topP = 1.0

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<OnPolicyOptions>] {
    [
      .field(
        "share",
        \.share,
        in: .above(0.0, through: 1),
        "The share of the steps that are on the student's own texts: λ of GKD."
      ),
      .field(
        "prompt",
        \.prompt,
        in: 1...1_048_576,
        "How many tokens of each row the student continues. In conversations it answers the "
          + "question instead."
      ),
      .field(
        "tokens",
        \.tokens,
        in: 1...1_048_576,
        "How many tokens the student writes at most, until it ends the text; to the end of the row "
          + "if not given."
      ),
      .field(
        "temperature",
        \.temperature,
        in: .above(0.0, through: 100),
        "What the logits are divided by where the student chooses its tokens; not in the loss."
      ),
      .field(
        "top_k",
        \.topK,
        in: 1...,
        "How many of the most probable tokens it may choose from; all if not given."
      ),
      .field(
        "top_p",
        \.topP,
        in: .above(0.0, through: 1),
        "The least total probability of the most probable tokens that it may choose from."
      ),
    ]
  }

  static let summary =
    "Lets a share of the steps be on texts that the student writes itself, with the beginnings of "
    + "the data's rows or its questions as prompts. The loss counts what it wrote."

  /// What does not go together with a training's options.
  func problems(with training: TrainOptions) -> [StageProblem] {
    guard prompt >= training.batches.length else { return [] }
    return [
      StageProblem(
        "\(prompt) tokens leave nothing to write in rows of \(training.batches.length)",
        option: "on_policy.prompt"
      )
    ]
  }
}
