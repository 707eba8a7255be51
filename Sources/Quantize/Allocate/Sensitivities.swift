internal import Foundation
internal import Models
internal import Tensor

/// How far a model's next-token distributions are expected to move with each matrix in each format.
struct Sensitivities: Codable, Sendable, Equatable {
  /// A matrix.
  struct Matrix: Codable, Sendable, Equatable {
    let name: String
    /// The number of inputs.
    let columns: Int
    /// Whether the divergences were measured on the whole model, rather than derived from errors
    /// of outputs and gradients.
    let isMeasured: Bool
    /// For each format by name, the mean divergence per token in nats, before it is scaled.
    let divergences: [String: Double]
  }

  /// All matrices of blocks rounded to formats of about the same size, which shows how far what is
  /// derived can be relied on.
  struct Anchor: Codable, Sendable, Equatable {
    /// Bits a weight.
    let bits: Double
    /// The sum of what was derived for the matrices.
    let derived: Double
    /// What was measured.
    let measured: Double
  }

  var matrices: [Matrix] = []
  /// By rising bits.
  var anchors: [Anchor] = []

  /// The mean divergence per token in nats that is expected of a matrix in a format.
  func divergence(of name: String, _ format: WeightFormat) -> Double {
    guard let matrix = matrices.first(where: { $0.name == name }),
      let divergence = matrix.divergences[format.description]
    else { return .infinity }
    let bits = format.bitsPerWeight(columns: matrix.columns)
    return matrix.isMeasured ? divergence : divergence * scale(bits)
  }

  /// The same, before it is scaled.
  func unscaledDivergence(of name: String, _ format: WeightFormat) -> Double {
    matrices.first { $0.name == name }?.divergences[format.description] ?? .infinity
  }

  /// What is measured as a multiple of what is derived, between anchors interpolated by its
  /// logarithm.
  private func scale(_ bits: Double) -> Double {
    let known = anchors.filter { $0.derived > 0 && $0.measured > 0 }.map {
      (bits: $0.bits, logarithm: log($0.measured / $0.derived))
    }
    guard let first = known.first, let last = known.last else { return 1 }
    guard let upper = known.firstIndex(where: { $0.bits >= bits }) else {
      return exp(last.logarithm)
    }
    guard upper > 0 else { return exp(first.logarithm) }
    let (low, high) = (known[upper - 1], known[upper])
    let share = (bits - low.bits) / (high.bits - low.bits)
    return exp(low.logarithm + share * (high.logarithm - low.logarithm))
  }
}

extension Sensitivities {
  /// Reads what an earlier run found out; nil if there is no such file.
  static func cached(_ file: URL) throws -> Sensitivities? {
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    return try JSONDecoder().decode(Sensitivities.self, from: Data(contentsOf: file))
  }

  /// Keeps it for another run.
  func write(to file: URL) throws {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(),
      withIntermediateDirectories: true
    )
    try Self.encoder.encode(self).write(to: file, options: .atomic)
  }

  static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}
