internal import Models
internal import Pipeline

extension StageReport.Layer {
  /// A row of the table about a matrix that was quantized.
  ///
  /// - Parameters:
  ///   - name: The matrix.
  ///   - format: What it is stored in.
  ///   - extents: Its rows and columns.
  ///   - byteCountBefore: Its size before.
  ///   - method: How its numbers were chosen, such as `GPTQ`.
  ///   - values: Numbers beside bits and sizes.
  ///   - note: A remark beside format and method.
  /// - Returns: The row.
  static func quantized(
    _ name: String,
    _ format: WeightFormat,
    _ extents: (rows: Int, columns: Int),
    byteCountBefore: Int,
    method: String,
    values: [String: Double],
    note: String? = nil
  ) -> StageReport.Layer {
    let byteCount = format.byteCount(rows: extents.rows, columns: extents.columns)
    let all: [String: Double] = [
      "bits": 8 * Double(byteCount) / Double(max(1, extents.rows * extents.columns)),
      "bytes_before": Double(byteCountBefore), "bytes_after": Double(byteCount),
    ]
    return StageReport.Layer(
      name,
      all.merging(values) { $1 },
      note: [format.description, method, note].compactMap(\.self).joined(separator: "; ")
    )
  }
}
