internal import Models
internal import Pipeline

/// Collects what scaling did to each layer's outputs, for the report.
struct ScalingTally {
  private struct Entry {
    let linear: Linear
    let byteCountBefore: Int
    let values: [String: Double]
    let method: String
    let note: String?
  }

  private var entries: [String: Entry] = [:]
  private var values: [String: [Double]] = [:]

  /// Adds a layer; its size afterwards is taken when the report is made.
  ///
  /// - Parameters:
  ///   - linear: The layer.
  ///   - byteCountBefore: The weight's size before.
  ///   - values: Numbers whose means the report gives too.
  ///   - method: What was done to it.
  ///   - note: A remark.
  mutating func add(
    _ linear: Linear,
    byteCountBefore: Int,
    values: [String: Double],
    method: String = "scales moved",
    note: String?
  ) {
    entries[linear.name] = Entry(
      linear: linear,
      byteCountBefore: byteCountBefore,
      values: values,
      method: method,
      note: note
    )
    for (name, value) in values { self.values[name, default: []].append(value) }
  }

  /// Makes the report.
  ///
  /// - Parameter order: The layers' names in the order of the table.
  /// - Returns: The table, and means over the layers that have a number; `output_error` is
  ///   `Σ‖(W − Q)x‖² / Σ‖Wx‖²`.
  func report(order: [String]) -> StageReport {
    let table = order.compactMap { entries[$0] }
    let layers = table.map { entry in
      StageReport.Layer.quantized(
        entry.linear.name,
        entry.linear.format,
        (entry.linear.rows, entry.linear.columns),
        byteCountBefore: entry.byteCountBefore,
        method: entry.method,
        values: entry.values,
        note: entry.note
      )
    }
    let total = layers.reduce(0) { $0 + ($1.values["bytes_after"] ?? 0) }
    let weights = table.reduce(0) { $0 + $1.linear.rows * $1.linear.columns }
    var metrics = values.mapValues { $0.reduce(0, +) / Double($0.count) }
    metrics["bytes_before"] = Double(table.reduce(0) { $0 + $1.byteCountBefore })
    metrics["bytes_after"] = total
    metrics["bits_per_scaled_weight"] = weights > 0 ? total * 8 / Double(weights) : 0
    return StageReport(metrics: metrics, layers: layers)
  }
}
