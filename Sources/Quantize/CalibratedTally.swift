internal import Models
internal import Pipeline

/// Collects what quantizing each matrix did to its outputs, for the report.
struct CalibratedTally {
  /// A matrix.
  struct Entry {
    let name: String
    let byteCountBefore: Int
    /// The outputs' error when rounded to the nearest.
    let before: OutputError
    /// The outputs' error in the end.
    var after: OutputError
    /// What was added to the Gram matrix, in means of its diagonal.
    var damping = 0.0
    /// How the codes were chosen.
    var method = "nearest"
    /// Columns that no input used.
    var deadColumns = 0
    /// The fraction of weights that were zero and stayed so; nil if none were held.
    var heldSparsity: Double?
    /// What did not go as usual.
    var note: String?

    init(_ name: String, byteCountBefore: Int, before: OutputError) {
      self.name = name
      self.byteCountBefore = byteCountBefore
      self.before = before
      after = before
    }
  }

  private var layers: [StageReport.Layer] = []
  private var sums = (before: 0.0, after: 0.0)
  private var bytesBefore = 0
  private var bytesAfter = 0
  private var weights = 0
  private var held = (zeros: 0.0, count: 0)
  private var fallbacks: [String] = []

  /// Adds a matrix with its new weight.
  mutating func add(_ entry: Entry, _ weight: any LinearWeight) {
    var values = [
      "nearest_output_error": entry.before.relative, "output_error": entry.after.relative,
    ]
    if entry.deadColumns > 0 { values["dead_columns"] = Double(entry.deadColumns) }
    if let sparsity = entry.heldSparsity {
      values["held_sparsity"] = sparsity
      held.zeros += sparsity * Double(weight.rows * weight.columns)
      held.count += weight.rows * weight.columns
    }
    layers.append(
      .quantized(
        entry.name,
        weight.format,
        (weight.rows, weight.columns),
        byteCountBefore: entry.byteCountBefore,
        method: entry.method,
        values: values,
        note: entry.note
      )
    )
    sums.before += entry.before.relative
    sums.after += entry.after.relative
    bytesBefore += entry.byteCountBefore
    bytesAfter += weight.byteCount
    weights += weight.rows * weight.columns
    if let note = entry.note { fallbacks.append("\(entry.name): \(note)") }
  }

  /// The table, and means over all matrices; `output_error` is `Σ‖(W − Q)x‖² / Σ‖Wx‖²`.
  var report: StageReport {
    let count = Double(max(1, layers.count))
    var metrics = [
      "nearest_output_error": sums.before / count, "output_error": sums.after / count,
      "bytes_before": Double(bytesBefore), "bytes_after": Double(bytesAfter),
      "bits_per_quantized_weight": weights > 0 ? Double(bytesAfter) * 8 / Double(weights) : 0,
    ]
    if held.count > 0 { metrics["held_sparsity"] = held.zeros / Double(held.count) }
    return StageReport(
      metrics: metrics,
      layers: layers,
      warnings: fallbacks
    )
  }
}
