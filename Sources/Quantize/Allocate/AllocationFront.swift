internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// What budgets from the smallest to the largest would give.
struct AllocationFront: Codable, Sendable, Equatable {
  /// A budget's result.
  struct Point: Codable, Sendable, Equatable {
    /// The size of the file.
    let sizeBytes: Int
    /// The same per weight of the model.
    let bitsPerWeight: Double
    /// The mean divergence per token in nats.
    let predictedKl: Double
  }

  /// By rising size.
  let points: [Point]

  private static let count = 20

  /// Solves budgets at equal distances.
  ///
  /// - Throws: `CheckpointError` for what the file cannot hold.
  init(_ file: AllocatedFile, _ allocation: Allocation, _ sensitivities: Sensitivities) throws {
    let range = allocation.largest - allocation.smallest
    var points: [Point] = []
    for step in 0..<Self.count {
      let budget = allocation.smallest + range * step / (Self.count - 1)
      guard let picked = allocation.choices(within: budget) else { continue }
      let byteCount = try file.byteCount(picked)
      guard byteCount != points.last?.sizeBytes else { continue }
      points.append(
        Point(
          sizeBytes: byteCount,
          bitsPerWeight: 8 * Double(byteCount) / Double(max(1, file.parameterCount)),
          predictedKl: file.divergence(picked, sensitivities)
        )
      )
    }
    self.points = points
  }

  /// Writes the points as JSON.
  func write(to url: URL) throws {
    let encoder = Sensitivities.encoder
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try encoder.encode(self).write(to: url, options: .atomic)
  }

  /// The points as a table for the log.
  var lines: [String] {
    ["what other budgets would give: size, bits per weight, predicted KL"]
      + points.map {
        "  \(ByteSize($0.sizeBytes))  \(Wording.number($0.bitsPerWeight, digits: 3))  "
          + Wording.number($0.predictedKl, digits: 3)
      }
  }
}

/// Collects formats and what they are predicted to do, for the report.
struct AllocationTally {
  /// What quantizing did to the outputs of layers of blocks.
  var calibrated = CalibratedTally()
  private let sensitivities: Sensitivities
  private var predictions: [String: Double] = [:]
  private var others: [StageReport.Layer] = []
  private var weights = 0

  init(_ sensitivities: Sensitivities) { self.sensitivities = sensitivities }

  /// Adds a layer of a block with its new format, if it has one.
  mutating func add(_ linear: Linear, _ target: QuantizationTarget?) {
    guard let target else { return }
    predictions[linear.name] = sensitivities.divergence(of: linear.name, target.format)
    weights += linear.rows * linear.columns
  }

  /// Adds embedding or head.
  mutating func add(_ linear: Linear, _ target: QuantizationTarget, byteCountBefore: Int) {
    add(linear, target)
    others.append(
      .quantized(
        linear.name,
        linear.format,
        (linear.rows, linear.columns),
        byteCountBefore: byteCountBefore,
        method: "nearest",
        values: [:]
      )
    )
  }

  /// The table, and sums over all matrices.
  func report(predictedByteCount: Int) -> StageReport {
    var report = calibrated.report
    report.layers = (report.layers + others).map { layer in
      var values = layer.values
      values["predicted_kl"] = predictions[layer.name]
      return StageReport.Layer(layer.name, values, note: layer.note)
    }
    func sum(_ key: String) -> Double { report.layers.reduce(0) { $0 + ($1.values[key] ?? 0) } }
    report.metrics["bytes_before"] = sum("bytes_before")
    report.metrics["bytes_after"] = sum("bytes_after")
    report.metrics["bits_per_quantized_weight"] =
      weights > 0 ? 8 * sum("bytes_after") / Double(weights) : 0
    report.metrics["predicted_kl"] = sum("predicted_kl")
    report.metrics["predicted_size_bytes"] = Double(predictedByteCount)
    return report
  }
}
