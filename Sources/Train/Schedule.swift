internal import Foundation

/// The learning rate of each step: a rise to the peak, a plateau, and a fall.
///
///     rate
///     peak      ________
///              /        \
///             /          \__   final
///       step 1 … warm-up … steps
///
/// Steps are numbered from 1. Step `s` of the warm-up has `s / warmupSteps` of the peak, so that no
/// step is lost on rate 0. The fall starts after its first step and would reach `finalFraction`
/// one step after the last: step `s` has transformers' factor for the count of steps before it.
public struct Schedule: Sendable, Hashable {
  /// How the rate falls, by the fraction `p` of the fall that has passed.
  public enum Curve: String, Sendable, Hashable, CaseIterable {
    /// `1 − p`.
    case linear
    /// `(1 + cos(π·p)) / 2`.
    case cosine
    /// `1 − √p`.
    case squareRoot = "square_root"
  }

  /// The highest rate.
  public var peak: Double
  /// The number of steps.
  public var steps: Int
  /// The steps of the rise, those with less than the peak but for the last.
  public var warmupSteps: Int
  /// The steps of the fall, the last ones.
  public var decaySteps: Int
  /// How the rate falls.
  public var curve: Curve
  /// The fraction of the peak that the fall ends at, in `0...1`.
  public var finalFraction: Double

  private init(
    _ peak: Double,
    _ steps: Int,
    _ warmup: Int,
    _ decay: Int,
    _ curve: Curve,
    _ final: Double
  ) {
    (self.peak, self.steps, warmupSteps, decaySteps) = (peak, steps, warmup, decay)
    (self.curve, finalFraction) = (curve, final)
  }

  /// The peak from the end of the warm-up on.
  public static func constant(peak: Double, steps: Int, warmupSteps: Int = 0) -> Schedule {
    Schedule(peak, steps, warmupSteps, 0, .linear, 1)
  }

  /// A straight fall from the end of the warm-up on.
  public static func linear(
    peak: Double,
    steps: Int,
    warmupSteps: Int = 0,
    finalFraction: Double = 0
  ) -> Schedule {
    Schedule(peak, steps, warmupSteps, max(0, steps - warmupSteps), .linear, finalFraction)
  }

  /// A fall along half a period of the cosine from the end of the warm-up on.
  ///
  /// Source: Loshchilov and Hutter, *SGDR*, 2016, arXiv:1608.03983, equation 5, without restarts.
  public static func cosine(
    peak: Double,
    steps: Int,
    warmupSteps: Int = 0,
    finalFraction: Double = 0
  ) -> Schedule {
    Schedule(peak, steps, warmupSteps, max(0, steps - warmupSteps), .cosine, finalFraction)
  }

  /// The peak until the last `decaySteps`, over which the rate falls.
  ///
  /// Source: Hägele et al., *Scaling Laws and Compute-Optimal Training Beyond Fixed Training
  /// Durations*, 2024, arXiv:2405.18392, equation 1 with its curve `1 − √p`, a fifth of the steps
  /// being enough for the fall.
  public static func warmupStableDecay(
    peak: Double,
    steps: Int,
    warmupSteps: Int,
    decaySteps: Int,
    curve: Curve = .squareRoot,
    finalFraction: Double = 0
  ) -> Schedule {
    Schedule(peak, steps, warmupSteps, decaySteps, curve, finalFraction)
  }

  /// The learning rate of a step.
  ///
  /// - Parameter step: From 1; beyond the last step the rate stays where the fall ends.
  /// - Returns: The rate, in `0...peak`.
  public func rate(at step: Int) -> Double { peak * factor(at: step) }

  /// The fraction of the peak at a step, in `0...1`.
  public func factor(at step: Int) -> Double {
    if step < warmupSteps { return Double(max(0, step)) / Double(warmupSteps) }
    let passed = step - 1 - (steps - decaySteps)
    guard decaySteps > 0, passed > 0 else { return 1 }
    let p = min(1, Double(passed) / Double(decaySteps))
    let fall: Double =
      switch curve {
      case .linear: 1 - p
      case .cosine: (1 + cos(.pi * p)) / 2
      case .squareRoot: 1 - p.squareRoot()
      }
    return finalFraction + (1 - finalFraction) * max(0, fall)
  }

  /// The schedule as a text, by which a saved state is told from that of another.
  var summary: String {
    "peak=\(peak) steps=\(steps) warmup=\(warmupSteps) decay=\(decaySteps) \(curve.rawValue) "
      + "final=\(finalFraction)"
  }

  /// Checks that the parts fit into the steps.
  func check() throws(TrainingError) {
    func invalid(_ problem: String, _ remedy: String) -> TrainingError {
      TrainingError(.invalidOptions, problem, at: "learning rate schedule", remedy: remedy)
    }
    guard peak > 0, peak.isFinite else {
      throw invalid("the peak is \(peak)", "use a learning rate above 0")
    }
    guard steps > 0 else { throw invalid("there are \(steps) steps", "train for 1 step or more") }
    guard warmupSteps >= 0, decaySteps >= 0, warmupSteps <= steps - decaySteps else {
      throw invalid(
        "\(warmupSteps) warm-up and \(decaySteps) decay steps do not fit into \(steps) steps",
        "shorten one of them"
      )
    }
    guard (0...1).contains(finalFraction) else {
      throw invalid("the final fraction is \(finalFraction)", "use a fraction in 0...1")
    }
  }
}
