package import Tensor

/// The Gram matrix of a layer's inputs, made ready for walking along its columns: ordered, damped
/// until it can be factored, and factored.
///
/// Layers that share their inputs share this.
package struct GramFactor {
  /// For each position the column that is taken then.
  package let order: [Int32]
  /// `U` of `inverse(H) = Uᵀ · U` by position, `[D, D]`, `float64`; nil if no damping was enough.
  package let factor: Tensor?
  /// What was added to the diagonal, in means of it.
  package let damping: Double
  /// Columns that no input ever used.
  package let deadCount: Int

  /// How columns are taken in turn.
  package enum Order {
    case stored
    /// Spans by the largest diagonal element of each, and columns inside a span by theirs.
    case importance
  }

  /// Damping is multiplied by this until the factorization succeeds.
  private static let step = 10.0

  /// Prepares a matrix.
  ///
  /// - Parameters:
  ///   - gram: `Σ x · xᵀ`, `[D, D]`, `float64`.
  ///   - damping: What is added to the diagonal at first, in means of it.
  ///   - ordering: How columns are taken in turn.
  ///   - span: Columns that must stay together.
  package init(_ gram: Tensor, damping: Double, ordering: Order, span: Int) {
    let width = gram.shape[0]
    let diagonal = gram.withElements(as: Double.self) { all in
      (0..<width).map { all[$0 * width + $0] }
    }
    order = Self.order(diagonal, ordering, span: span)
    let live = diagonal.filter { $0 > 0 }
    let mean = live.isEmpty ? 1 : live.reduce(0, +) / Double(live.count)
    deadCount = width - live.count
    var factor: Tensor?
    var fraction = damping
    while true {
      let damped = Self.permuted(gram, order, dead: mean, adding: fraction * mean)
      factor = try? damped.inverseFactor()
      // An inverse that overflows is no better than none.
      if let found = factor, !found.sum().isFinite { factor = nil }
      if factor != nil || fraction >= 1 { break }
      fraction = max(fraction * Self.step, 1e-6)
    }
    self.factor = factor
    self.damping = fraction
  }

  private static func order(_ diagonal: [Double], _ ordering: Order, span: Int) -> [Int32] {
    let columns = Array(diagonal.indices)
    guard ordering == .importance else { return columns.map(Int32.init) }
    func isBefore(_ a: Int, _ b: Int) -> Bool {
      diagonal[a] != diagonal[b] ? diagonal[a] > diagonal[b] : a < b
    }
    let spans = stride(from: 0, to: columns.count, by: span).map {
      columns[$0..<min($0 + span, columns.count)].sorted(by: isBefore)
    }
    // A shorter span must stay last: positions are counted in whole spans.
    let whole = spans.filter { $0.count == span }.sorted { isBefore($0[0], $1[0]) }
    return (whole + spans.filter { $0.count != span }).flatMap(\.self).map(Int32.init)
  }

  /// The matrix by position.
  ///
  /// Columns without any input get an entry on the diagonal, so that their errors are corrected
  /// nowhere.
  private static func permuted(
    _ gram: Tensor,
    _ order: [Int32],
    dead: Double,
    adding damping: Double
  ) -> Tensor {
    let width = order.count
    return gram.rearranged(from: Double.self) { row, source, target in
      let from = source + Int(order[row]) * width
      for column in 0..<width { target[column] = from[Int(order[column])] }
      let value = target[row]
      target[row] = (value > 0 ? value : dead) + damping
    }
  }

  /// Returns a matrix with its columns in the order in which they are taken, in float64.
  package func permuted(_ matrix: Tensor) -> Tensor {
    matrix.rearranged(from: Float.self) { row, source, target in
      let from = source + row * order.count
      for column in order.indices { target[column] = Double(from[Int(order[column])]) }
    }
  }

  /// Undoes ``permuted(_:)``.
  package func restored(_ matrix: Tensor) -> Tensor {
    matrix.rearranged(from: Double.self) { row, source, target in
      let from = source + row * order.count
      for column in order.indices { target[Int(order[column])] = from[column] }
    }
  }
}

extension Tensor {
  /// Makes a matrix of `float64` of the shape of this one row by row, in parallel.
  ///
  /// - Parameters:
  ///   - type: The type of this one's elements.
  ///   - body: Given the number of a row, all elements of this matrix, and the row to fill.
  /// - Returns: The matrix.
  fileprivate func rearranged<Source: TensorElement>(
    from type: Source.Type,
    _ body: @Sendable (Int, UnsafePointer<Source>, UnsafeMutablePointer<Double>) -> Void
  ) -> Tensor {
    let columns = shape.columns
    var result = Tensor(uninitialized: shape, dtype: .float64)
    withElements(as: type) { source in
      result.withMutableElements(as: Double.self) { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        let (from, to) = (Shared(source), Shared(target))
        parallelRanges(shape.rows, grain: 16) { rows in
          for row in rows { body(row, from.pointer, to.pointer + row * columns) }
        }
      }
    }
    return result
  }
}
