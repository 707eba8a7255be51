/// How the inputs of a linear layer are rounded to signed bytes before they are multiplied.
///
///     q = clamp(round(x / s), −128 … 127)        x ≈ s · q
///
/// The layer keeps it beside its weight: whoever multiplies decides what to do about it, and
/// exports write it where their format can say it.
public enum ActivationQuantization: Sendable, Hashable {
  /// Each token has a scale of its own, found when the model runs from the token's values.
  case dynamicPerToken
  /// All inputs share a scale that calibration found.
  ///
  /// - scale: The step between two codes, finite and above 0.
  case staticPerTensor(scale: Float)
}

extension ActivationQuantization {
  /// The kinds, for plans that are made before a scale is known.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// A scale for every token, found when the model runs.
    case dynamicPerToken = "dynamic_per_token"
    /// One scale, known beforehand.
    case staticPerTensor = "static_per_tensor"
  }

  /// The kind, without the scale.
  public var kind: Kind {
    switch self {
    case .dynamicPerToken: .dynamicPerToken
    case .staticPerTensor: .staticPerTensor
    }
  }

  /// The scale that is known beforehand; nil if there is none.
  public var scale: Float? {
    if case .staticPerTensor(let scale) = self { scale } else { nil }
  }
}

extension ActivationQuantization.Kind: CustomStringConvertible {
  /// A short name, such as `int8 per token`.
  public var description: String {
    switch self {
    case .dynamicPerToken: "int8 per token"
    case .staticPerTensor: "int8 per tensor"
    }
  }
}
