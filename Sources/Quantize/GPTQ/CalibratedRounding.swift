internal import Calibrate
internal import Models
internal import Tensor

/// Rounds layers that share an input to codes, so that their outputs stay as near as they can.
struct CalibratedRounding {
  /// Whether later columns make up for the errors of earlier ones; otherwise every weight is
  /// rounded to the nearest, columns weighing as much as their inputs.
  var correctsErrors = true
  /// How the columns of a matrix are taken in turn.
  let order: ColumnOrder
  /// What is added to the diagonal of the Gram matrix at first, in means of it.
  let damping: Double

  /// Replaces the weights of layers.
  ///
  /// - Parameters:
  ///   - linears: Layers that share an input.
  ///   - inputs: What is known of it, the Gram matrix included.
  ///   - tally: Collects what it did to their outputs.
  ///   - target: What a layer is rounded to; nil to leave it alone.
  /// - Throws: ``QuantizeError`` if a weight or scale is not finite.
  func round(
    _ linears: [Linear],
    _ inputs: InputStatistics,
    _ tally: inout CalibratedTally,
    _ target: (Linear) -> QuantizationTarget?
  ) throws {
    guard !linears.isEmpty, let gram = inputs.gram else { return }
    // Layers that share inputs share the factor too, if their spans are as long.
    var factors: [Int: GramFactor] = [:]
    for linear in linears {
      guard let target = target(linear) else { continue }
      guard correctsErrors else {
        try round(linear, target, nil, gram, &tally)
        continue
      }
      let span = target.span(columns: linear.columns)
      let factor =
        factors[span]
        ?? GramFactor(
          gram,
          damping: damping,
          ordering: order == .importance ? .importance : .stored,
          span: span
        )
      factors[span] = factor
      try round(linear, target, factor, gram, &tally)
    }
  }

  /// Quantizes a layer, falling back to rounding to the nearest where that is no worse.
  private func round(
    _ linear: Linear,
    _ target: QuantizationTarget,
    _ factor: GramFactor?,
    _ gram: Tensor,
    _ tally: inout CalibratedTally
  ) throws {
    let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
    let matrix = linear.weight.matrix
    let original = matrix.widened()
    let nearest = try target.nearest(
      matrix,
      importance: gram.diagonal.converted(to: .float32),
      layer: linear.name
    )
    let before = OutputError(original, nearest.dense, gram: gram)
    var entry = CalibratedTally.Entry(linear.name, byteCountBefore: byteCount, before: before)
    guard let factor else {
      linear.weight = nearest
      tally.add(entry, nearest)
      return
    }
    let found = try gptq(matrix, target: target, gram: factor, layer: linear.name)
    if let found {
      entry.after = OutputError(original, found.dense, gram: gram)
      entry.damping = factor.damping
      if factor.damping > damping { entry.note = "damping \(factor.damping)" }
    } else {
      entry.note = "rounded to the nearest: the Gram matrix cannot be factored"
    }
    if let found, entry.after.squaredError <= before.squaredError {
      linear.weight = found
    } else {
      if found != nil { entry.note = "rounded to the nearest: no worse than GPTQ" }
      entry.after = before
      linear.weight = nearest
    }
    tally.add(entry, linear.weight)
  }
}
