internal import Foundation

/// How positions turn queries and keys: base frequency and scaling to longer contexts.
public struct RotaryConfiguration: Sendable, Hashable {
  /// A way of stretching the rotation to contexts longer than those of the first training.
  public enum Scaling: Sendable, Hashable {
    /// Positions as they are.
    case none
    /// Positions divided by `factor`.
    case linear(factor: Double)
    /// Low frequencies divided by `factor`, high ones kept, those between interpolated.
    case llama3(
      factor: Double,
      lowFrequencyFactor: Double,
      highFrequencyFactor: Double,
      originalContextLength: Int
    )
    /// Interpolation by wavelength with a ramp between `betaFast` and `betaSlow` rotations; cosine
    /// and sine are multiplied by `attentionFactor`.
    case yarn(
      factor: Double,
      betaFast: Double,
      betaSlow: Double,
      attentionFactor: Double,
      originalContextLength: Int,
      truncates: Bool
    )
    /// Frequencies divided by the given numbers, one per pair of channels, as GGUF files store
    /// Llama 3's scaling.
    case divisors([Float])
  }

  /// The base of the geometric series of wavelengths, often called theta.
  public var base: Double
  /// The number of channels of a head that are rotated, even; the rest stay.
  public var channels: Int
  /// The stretching, if any.
  public var scaling: Scaling = .none

  /// Creates a rotation.
  public init(base: Double, channels: Int, scaling: Scaling = .none) {
    self.base = base
    self.channels = channels
    self.scaling = scaling
  }

  /// What cosine and sine are multiplied by.
  public var attentionFactor: Double {
    if case .yarn(_, _, _, let factor, _, _) = scaling { factor } else { 1 }
  }

  /// The angle per position of each pair of channels, in radians, `[channels / 2]`.
  ///
  /// Source: Su et al., *RoFormer*, 2021, arXiv:2104.09864; Peng et al., *YaRN*, 2023,
  /// arXiv:2309.00071, section 3.2; the scaling of Llama 3.1 as published with its weights.
  /// Rounded to float32, as the trained implementations compute it.
  public var frequencies: [Float] {
    let plain = (0..<channels / 2).map { pair in
      Float(1 / pow(base, Double(2 * pair) / Double(channels)))
    }
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / Float(factor) }
    case .divisors(let divisors): return zip(plain, divisors).map { $0 / $1 }
    case .llama3(let factor, let low, let high, let original):
      return plain.map { frequency in
        let wavelength = 2 * Double.pi / Double(frequency)
        let context = Double(original)
        if wavelength > context / low { return frequency / Float(factor) }
        if wavelength < context / high { return frequency }
        let smooth = (context / wavelength - low) / (high - low)
        return Float((1 - smooth) * Double(frequency) / factor + smooth * Double(frequency))
      }
    case .yarn(let factor, let fast, let slow, _, let original, let truncates):
      let (low, high) = yarnRamp(fast: fast, slow: slow, original: original, truncates: truncates)
      return plain.enumerated().map { pair, frequency in
        let ramp = min(1, max(0, (Double(pair) - low) / (high - low)))
        return Float(Double(frequency) / factor * ramp + Double(frequency) * (1 - ramp))
      }
    }
  }

  /// The pairs between which YaRN passes from keeping frequencies to dividing them.
  private func yarnRamp(
    fast: Double,
    slow: Double,
    original: Int,
    truncates: Bool
  ) -> (low: Double, high: Double) {
    func pair(rotations: Double) -> Double {
      Double(channels) * log(Double(original) / (rotations * 2 * .pi)) / (2 * log(base))
    }
    var low = pair(rotations: fast)
    var high = pair(rotations: slow)
    if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    low = max(low, 0)
    high = min(high, Double(channels - 1))
    // Equal ends would divide by zero; the reference implementation parts them by this much.
    return (low, low == high ? high + 0.001 : high)
  }
}

/// What YaRN multiplies cosine and sine by, for a stretching and a weight of its logarithm.
func yarnMagnitude(_ factor: Double, _ weight: Double) -> Double {
  factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
}
