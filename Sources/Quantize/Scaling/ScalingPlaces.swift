internal import Models
internal import Pipeline
internal import Tensor

/// The members of a ``ScalingPair`` as headers know them.
struct PlannedPair {
  let place: ScalingPair.Place
  /// What makes the channels, if it is a layer.
  let producer: ModelPromise.Part?
  /// The layers that read the channels.
  let consumers: [ModelPromise.Part]

  /// The layers whose weights a scale changes.
  var linears: [ModelPromise.Part] { (producer.map { [$0] } ?? []) + consumers }
}

extension ModelPromise {
  /// The places of all blocks where scales can move, block by block in the order of execution.
  var scalingPairs: [PlannedPair] {
    var prefixes: [Substring] = []
    for part in linears {
      guard let prefix = part.name.prefixMatch(of: /model\.layers\.[0-9]+\./)?.0 else { continue }
      if prefixes.last != prefix { prefixes.append(prefix) }
    }
    let byName = Dictionary(linears.map { ($0.name, $0) }) { first, _ in first }
    return prefixes.flatMap { prefix in
      ScalingPair.Place.allCases.map { place in
        PlannedPair(
          place: place,
          producer: byName[prefix + place.producer],
          consumers: place.consumers.compactMap { byName[prefix + $0] }
        )
      }
    }
  }
}

extension WeightFormat {
  /// Whether the format is one element per weight.
  var isDense: Bool { if case .elements = self { true } else { false } }
}

extension ScalingPair {
  /// Scales the pair, weights staying of their type; a quantized one becomes float32.
  ///
  /// - Throws: ``QuantizeError`` if a scaled weight exceeds its type.
  func applyChecked(
    _ scales: [Float],
    replacing weights: [String: GroupQuantizedWeight] = [:]
  ) throws(QuantizeError) {
    try apply(scales) { linear, elements throws(QuantizeError) in
      if let weight = weights[linear.name] { return weight }
      guard case .elements(let dtype) = linear.format else { return DenseWeight(elements) }
      let result = elements.converted(to: dtype)
      guard result.converted(to: .float32).largestMagnitude().isFinite else {
        throw QuantizeError(
          .notFinite,
          "a scaled weight is too large for \(dtype.rawValue)",
          layer: linear.name,
          remedy: "convert the model to bfloat16 or float32 first"
        )
      }
      return DenseWeight(result)
    }
  }
}
