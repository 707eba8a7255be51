internal import Calibrate
internal import Models
internal import Sparsity
internal import Tensor

/// Rounds layers that share an input to codes, so that their outputs stay as near as they can.
struct CalibratedRounding {
  /// Whether later columns make up for the errors of earlier ones; otherwise every weight is
  /// rounded to the nearest, columns weighing as much as their inputs.
  var correctsErrors = true
  /// Whether zeros of pruned matrices stay zero, where the target has an exact zero.
  var keepsZeros = false
  /// How the columns of a matrix are taken in turn.
  let order: ColumnOrder
  /// What is added to the diagonal of the Gram matrix at first, in means of it.
  let damping: Double

  /// Replaces the weights of layers.
  ///
  /// - Parameters:
  ///   - linears: Layers that share an input.
  ///   - gram: The Gram matrix of it, `[inputs, inputs]`, `float64`.
  ///   - tally: Collects what it did to their outputs.
  ///   - target: What a layer is rounded to; nil to leave it alone.
  /// - Throws: ``QuantizeError`` if a weight or scale is not finite.
  func round(
    _ linears: [Linear],
    _ gram: Tensor?,
    _ tally: inout CalibratedTally,
    _ target: (Linear) -> QuantizationTarget?
  ) throws {
    guard !linears.isEmpty, let gram else { return }
    // Layers that share inputs share the factor too, if their spans are as long.
    var factors: [Int: GramFactor] = [:]
    for linear in linears {
      guard let target = target(linear) else { continue }
      let span = target.span(columns: linear.columns)
      let factor = correctsErrors ? factors[span] ?? self.factor(gram, span) : nil
      factors[span] = factor
      let (weight, entry) = try rounded(linear, target, factor, gram)
      linear.weight = weight
      tally.add(entry, weight)
    }
  }

  /// What a layer becomes, which is left as it is.
  ///
  /// - Throws: ``QuantizeError`` if a weight or scale is not finite.
  func rounded(
    _ linear: Linear,
    _ target: QuantizationTarget,
    _ gram: Tensor
  ) throws(QuantizeError) -> (weight: any LinearWeight, entry: CalibratedTally.Entry) {
    let span = target.span(columns: linear.columns)
    return try rounded(linear, target, correctsErrors ? factor(gram, span) : nil, gram)
  }

  private func factor(_ gram: Tensor, _ span: Int) -> GramFactor {
    GramFactor(
      gram,
      damping: damping,
      ordering: order == .importance ? .importance : .stored,
      span: span
    )
  }

  /// Quantizes a layer, falling back to rounding to the nearest where that is no worse.
  private func rounded(
    _ linear: Linear,
    _ target: QuantizationTarget,
    _ factor: GramFactor?,
    _ gram: Tensor
  ) throws(QuantizeError) -> (weight: any LinearWeight, entry: CalibratedTally.Entry) {
    let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
    let matrix = linear.weight.matrix
    let nearest = try target.nearest(
      matrix,
      importance: gram.diagonal.converted(to: .float32),
      layer: linear.name
    )
    let before = OutputError(matrix, nearest.matrix, gram: gram)
    var entry = CalibratedTally.Entry(linear.name, byteCountBefore: byteCount, before: before)
    guard let factor else { return (nearest, entry) }
    entry.deadColumns = factor.deadCount
    let sparsity = keepsZeros && target.hasExactZero ? PrunedMatrix.sparsity(of: linear) : nil
    entry.heldSparsity = sparsity
    let found = try gptq(
      matrix,
      target: target,
      gram: factor,
      layer: linear.name,
      keepsZeros: sparsity != nil
    )
    guard let found else {
      entry.note = "rounded to the nearest: the Gram matrix cannot be factored"
      return (nearest, entry)
    }
    let after = OutputError(matrix, found.matrix, gram: gram, known: before)
    entry.damping = factor.damping
    guard after.squaredError <= before.squaredError else {
      entry.note = "rounded to the nearest: no worse than GPTQ"
      return (nearest, entry)
    }
    entry.after = after
    entry.method = "GPTQ"
    if factor.damping > damping { entry.note = "damping \(factor.damping)" }
    return (found, entry)
  }
}
