internal import Models
internal import Pipeline

/// Collects what became of the inputs and weights of layers, for the report.
struct ActivationsTally {
  private var layers: [StageReport.Layer] = []
  private var inputErrors: [Double] = []
  private var clipped: [Double] = []
  private var squaredError = 0.0
  private var squaredNorm = 0.0
  private var bytesBefore = 0
  private var bytesAfter = 0

  /// Adds a layer.
  ///
  /// - Parameters:
  ///   - linear: The layer as it is in the end.
  ///   - rounded: What rounding its weight cost; nil if it stayed.
  ///   - byteCountBefore: The size of the weight before.
  ///   - values: What is known of the inputs.
  mutating func add(
    _ linear: Linear,
    _ rounded: RoundedWeight?,
    byteCountBefore: Int,
    _ values: [String: Double]
  ) {
    let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
    var values = values
    values["weight_error"] = rounded?.relativeError
    layers.append(
      .quantized(
        linear.name,
        linear.format,
        (linear.rows, linear.columns),
        byteCountBefore: byteCountBefore,
        method: rounded == nil ? "codes kept" : "nearest",
        values: values,
        note: linear.activation.map { "inputs \($0.kind)" }
      )
    )
    if let error = values["input_error"] { inputErrors.append(error) }
    if let fraction = values["clipped_fraction"] { clipped.append(fraction) }
    squaredError += rounded?.squaredError ?? 0
    squaredNorm += rounded?.squaredNorm ?? 0
    bytesBefore += byteCountBefore
    bytesAfter += byteCount
  }

  /// The table, means of the inputs' errors over layers, and the weights' error together.
  var report: StageReport {
    var metrics = [
      "layers": Double(layers.count), "bytes_before": Double(bytesBefore),
      "bytes_after": Double(bytesAfter),
    ]
    if squaredNorm > 0 { metrics["weight_error"] = squaredError / squaredNorm }
    if !inputErrors.isEmpty {
      metrics["input_error"] = inputErrors.reduce(0, +) / Double(inputErrors.count)
      metrics["clipped_fraction"] = clipped.reduce(0, +) / Double(clipped.count)
    }
    return StageReport(metrics: metrics, layers: layers)
  }
}
