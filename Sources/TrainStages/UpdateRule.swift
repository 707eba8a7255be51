public import Pipeline
package import Train

/// How parameters are changed by their gradients.
public struct UpdateRule: OptionGroup {
  /// The optimizer.
  public var optimizer = OptimizerKind.adamw
  /// The highest learning rate.
  public var learningRate = 1e-4
  /// How the learning rate changes.
  public var schedule = ScheduleKind.cosine
  /// Steps of the rise.
  public var warmupSteps = 0
  /// Steps of the fall, for `stable`.
  public var decaySteps: Int?
  /// The last learning rate as a fraction of the highest.
  public var finalFraction = 0.0
  /// How much of a weight is taken away.
  public var weightDecay = 0.01
  /// How much of the first moment is kept.
  public var beta1 = 0.9
  /// How much of the second moment is kept.
  public var beta2: Double?
  /// Added to the root of the second moment.
  public var epsilon = 1e-8
  /// How much of the velocity is kept.
  public var momentum = 0.9
  /// How moments are stored.
  public var moments = MomentStorage.full
  /// The greatest norm of a gradient.
  public var clipNorm: Double? = 1
  /// How much of the moving average is kept.
  public var average: Double?

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<UpdateRule>] {
    [
      .field("optimizer", \.optimizer, "The rule by which gradients change the parameters."),
      .field("learning_rate", \.learningRate, in: .above(0.0), "The highest learning rate."),
      .field("schedule", \.schedule, "How the learning rate changes after the warm-up."),
      .field(
        "warmup_steps",
        \.warmupSteps,
        in: 0...,
        "Steps over which the learning rate rises to its highest."
      ),
      .field(
        "decay_steps",
        \.decaySteps,
        in: 1...,
        "For `stable`: the last steps, over which the learning rate falls; a fifth of all steps "
          + "if not given."
      ),
      .field(
        "final_fraction",
        \.finalFraction,
        in: 0...1,
        "Where the learning rate ends, as a fraction of its highest."
      ),
      .field(
        "weight_decay",
        \.weightDecay,
        in: 0...,
        "How much of a matrix is taken away per unit of learning rate; norms and biases do not "
          + "decay."
      ),
      .field("beta1", \.beta1, in: 0..<1, "AdamW, Lion: how much of the mean gradient is kept."),
      .field(
        "beta2",
        \.beta2,
        in: 0..<1,
        "AdamW: how much of the mean squared gradient is kept, 0.999 if not given; Lion: how much of "
          + "the mean gradient is remembered, 0.99 if not given."
      ),
      .field("epsilon", \.epsilon, in: .above(0.0), "AdamW: added to the root of the second mean."),
      .field("momentum", \.momentum, in: 0..<1, "SGD: how much of the velocity is kept."),
      .field("moments", \.moments, "AdamW: how the two means are stored."),
      .field(
        "clip_norm",
        \.clipNorm,
        in: .above(0.0),
        "Longer gradients are scaled down to this norm; `null` for never, which saves the memory "
          + "of all gradients, as each is then used as soon as it is known."
      ),
      .field(
        "average",
        \.average,
        in: 0..<1,
        "How much of an exponential moving average of the parameters a step keeps; the average is "
          + "then what is validated and results. `null` for none."
      ),
    ]
  }

  func decaySteps(of steps: Int) -> Int { decaySteps ?? max(1, steps / 5) }

  /// The learning rate of each step.
  package func schedule(steps: Int) -> Schedule {
    let warmup = min(warmupSteps, steps)
    return switch schedule {
    case .constant: .constant(peak: learningRate, steps: steps, warmupSteps: warmup)
    case .linear:
      .linear(
        peak: learningRate,
        steps: steps,
        warmupSteps: warmup,
        finalFraction: finalFraction
      )
    case .cosine:
      .cosine(
        peak: learningRate,
        steps: steps,
        warmupSteps: warmup,
        finalFraction: finalFraction
      )
    case .stable:
      .warmupStableDecay(
        peak: learningRate,
        steps: steps,
        warmupSteps: warmup,
        decaySteps: min(decaySteps(of: steps), steps - warmup),
        finalFraction: finalFraction
      )
    }
  }

  /// The optimizer.
  package var makeOptimizer: any Optimizer {
    switch optimizer {
    case .adamw:
      AdamW(
        beta1: beta1,
        beta2: beta2 ?? 0.999,
        epsilon: epsilon,
        weightDecay: weightDecay,
        moments: moments == .eightBit ? .eightBit : .full
      )
    case .lion: Lion(beta1: beta1, beta2: beta2 ?? 0.99, weightDecay: weightDecay)
    case .sgd: StochasticGradientDescent(momentum: momentum, weightDecay: weightDecay)
    }
  }
}

/// An optimizer.
public enum OptimizerKind: String, RecipeChoice {
  case adamw, lion, sgd

  /// What the choice means.
  public var summary: String {
    switch self {
    case .adamw: "Adam with decoupled weight decay"
    case .lion: "sign of the mean gradient: half of AdamW's memory, a third of its learning rate"
    case .sgd: "gradient descent with momentum"
    }
  }
}

/// The form of a learning-rate schedule.
public enum ScheduleKind: String, RecipeChoice {
  case cosine, linear, stable, constant

  /// What the choice means.
  public var summary: String {
    switch self {
    case .cosine: "falls along half a cosine"
    case .linear: "falls in a straight line"
    case .stable: "stays, and falls over the last steps"
    case .constant: "stays"
    }
  }
}

/// How an optimizer's moments are stored.
public enum MomentStorage: String, RecipeChoice {
  case full = "float32"
  case eightBit = "8bit"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .full: "8 bytes for every parameter"
    case .eightBit: "2 bytes for every parameter, in blocks of 256 with a scale each"
    }
  }
}
