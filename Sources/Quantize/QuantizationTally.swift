internal import Models
internal import Pipeline

/// Collects what quantizing each matrix cost, for the report.
struct QuantizationTally {
  private var layers: [StageReport.Layer] = []
  private var squaredError = 0.0
  private var squaredNorm = 0.0
  private var bytesBefore = 0
  private var bytesAfter = 0
  private var weights = 0

  /// Adds a matrix; `method` says how it was rounded.
  mutating func add(
    _ name: String,
    _ rounded: RoundedWeight,
    byteCountBefore: Int,
    method: String
  ) {
    let weight = rounded.weight
    layers.append(
      .quantized(
        name,
        weight.format,
        (weight.rows, weight.columns),
        byteCountBefore: byteCountBefore,
        method: method,
        values: ["relative_error": rounded.relativeError]
      )
    )
    squaredError += rounded.squaredError
    squaredNorm += rounded.squaredNorm
    bytesBefore += byteCountBefore
    bytesAfter += weight.byteCount
    weights += weight.rows * weight.columns
  }

  /// The table, and its sums over all matrices; `relative_error` is `‖W − Q‖² / ‖W‖²`.
  var report: StageReport {
    StageReport(
      metrics: [
        "relative_error": squaredNorm > 0 ? squaredError / squaredNorm : 0,
        "bytes_before": Double(bytesBefore), "bytes_after": Double(bytesAfter),
        "bits_per_quantized_weight": weights > 0 ? Double(bytesAfter) * 8 / Double(weights) : 0,
      ],
      layers: layers
    )
  }
}
