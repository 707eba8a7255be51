internal import Models
internal import Pipeline

/// Collects what scaling did to each layer's outputs, for the report.
struct ScalingTally {
  private var layers: [String: StageReport.Layer] = [:]
  private var values: [String: [Double]] = [:]
  private var bytesBefore = 0
  private var linears: [Linear] = []

  /// Adds a layer; its size afterwards is taken when the report is made.
  ///
  /// - Parameters:
  ///   - linear: The layer.
  ///   - byteCountBefore: The weight's size before.
  ///   - values: Numbers whose means the report gives too.
  ///   - note: A remark.
  mutating func add(
    _ linear: Linear,
    byteCountBefore: Int,
    values: [String: Double],
    note: String?
  ) {
    layers[linear.name] = StageReport.Layer(
      linear.name,
      values.merging(["bytes_before": Double(byteCountBefore)]) { $1 },
      note: note
    )
    for (name, value) in values { self.values[name, default: []].append(value) }
    bytesBefore += byteCountBefore
    linears.append(linear)
  }

  /// Makes the report.
  ///
  /// - Parameter order: The layers' names in the order of the table.
  /// - Returns: The table, and means over the layers that have a number; `output_error` is `Σ‖(W − Q)x‖² / Σ‖Wx‖²`.
  func report(order: [String]) -> StageReport {
    let bytes = Dictionary(
      uniqueKeysWithValues: linears.map {
        ($0.name, $0.format.byteCount(rows: $0.rows, columns: $0.columns))
      }
    )
    let table = order.compactMap { layers[$0] }.map { layer in
      let after = Double(bytes[layer.name] ?? 0)
      return StageReport.Layer(
        layer.name,
        layer.values.merging(["bytes_after": after]) { $1 },
        note: layer.note
      )
    }
    let total = bytes.values.reduce(0, +)
    let weights = linears.reduce(0) { $0 + $1.rows * $1.columns }
    var metrics = values.mapValues { $0.reduce(0, +) / Double($0.count) }
    metrics["bytes_before"] = Double(bytesBefore)
    metrics["bytes_after"] = Double(total)
    metrics["bits_per_scaled_weight"] = weights > 0 ? Double(total) * 8 / Double(weights) : 0
    return StageReport(metrics: metrics, layers: table)
  }
}
