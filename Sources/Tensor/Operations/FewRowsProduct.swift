internal import CKernels

/// Rows up to which reading the weight once, with dot products, beats packing.
let fewRows = 15

/// A product of few rows of `float32` with the transpose of a stored weight, `x · Wᵀ + bias`.
///
/// Generating token by token consists of these. Each takes some microseconds, so that handing work
/// to threads counts: products of the same rows are computed in one go.
struct FewRowsProduct {
  /// `[N, K]`.
  let weight: StoredMatrix
  /// `[N]`, or nil.
  let bias: Tensor?
  /// Where the product is written, `[rows, N]`.
  let result: Tensor

  init(_ weight: StoredMatrix, _ bias: Tensor?, _ result: Tensor) {
    self.weight = weight
    self.bias = bias
    self.result = result
  }

  /// Writes products of the same rows, reading each weight once.
  ///
  /// Each output is summed by one thread in one order, whatever it is computed together with.
  ///
  /// - Parameters:
  ///   - x: `[rows, K]`, `float32`.
  ///   - products: What `x` is multiplied by.
  static func compute(_ x: Tensor, _ products: [FewRowsProduct]) {
    let (rows, depth) = (x.shape.rows, x.shape.columns)
    guard rows > 0 else { return }
    let matrices = products.map(\.weight.kernelMatrix)
    matrices.withUnsafeBufferPointer { matrices in
      var parts = products.indices.map { index in
        var part = slm_product()
        part.rows = Int64(rows)
        part.outputs = matrices[index].rows
        part.depth = Int64(depth)
        part.weight = matrices.baseAddress.map { $0 + index }
        part.bias = products[index].bias.map { $0.unsafeFloats }
        part.y = products[index].result.unsafeMutableFloats
        part.y_step = matrices[index].rows
        return part
      }
      let preparedCounts = parts.map { withUnsafePointer(to: $0) { Int(slm_prepared_floats($0)) } }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: preparedCounts.reduce(0, +)) {
        var free = $0.baseAddress
        for index in parts.indices where preparedCounts[index] > 0 {
          // What is prepared depends on the format alone.
          let same = parts[..<index].first {
            $0.prepared != nil && $0.weight.pointee.format == matrices[index].format
          }
          if let same {
            parts[index].prepared = same.prepared
          } else {
            slm_prepare(&parts[index], x.unsafeFloats, Int64(depth), free)
            parts[index].prepared = free.map { UnsafePointer($0) }
            free = free.map { $0 + preparedCounts[index] }
          }
        }
        parts.withUnsafeBufferPointer { computeParts($0, x.unsafeFloats, rows: rows, depth: depth) }
      }
    }
    withExtendedLifetime((x, products)) {}
  }

  /// Computes all outputs of all products, four at a time, on all threads.
  private static func computeParts(
    _ parts: UnsafeBufferPointer<slm_product>,
    _ x: UnsafePointer<Float>,
    rows: Int,
    depth: Int
  ) {
    let fours = parts.reduce(0) { $0 + (Int($1.outputs) + 3) / 4 }
    let grain = max(1, (1 << 15) / max(1, depth * rows) / 4)
    let shared = Shared((parts, x))
    parallelRanges(fours, grain: grain) { range in
      let (parts, x) = shared.pointer
      var start = 0
      for part in parts {
        let count = (Int(part.outputs) + 3) / 4
        let own = range.clamped(to: start..<start + count)
        start += count
        guard !own.isEmpty else { continue }
        let first = own.lowerBound - start + count
        withUnsafePointer(to: part) {
          slm_product_rows(
            $0,
            x,
            Int64(depth),
            Int64(4 * first),
            min(part.outputs, Int64(4 * (first + own.count)))
          )
        }
      }
    }
  }
}

extension Tensor {
  /// Returns the products with the transposes of several weights that are not trained, as
  /// ``multiplied(by:bias:)`` one by one returns them.
  ///
  /// For few rows that record no gradient they are computed in one go, which saves handing work to
  /// threads.
  ///
  /// - Parameter weights: `[N, K]` each, with what is added to each output, `[N]` or nil.
  /// - Returns: `[..., N]` for each.
  /// - Precondition: As for ``multiplied(by:bias:)``.
  package func multiplied(byAll weights: [(matrix: StoredMatrix, bias: Tensor?)]) -> [Tensor] {
    guard
      dtype == .float32 && shape.rank > 0 && shape.rows <= fewRows && shape.columns > 0
        && !isRecorded
        && weights.allSatisfy({ weight in
          weight.matrix.columns == shape.columns
            && weight.bias.map {
              $0.shape == [weight.matrix.rows] && $0.dtype == dtype && !$0.isRecorded
            } ?? true
        })
    else { return weights.map { multiplied(by: $0.matrix, bias: $0.bias) } }
    let products = weights.map { weight in
      let shape = shape.replacingColumns(with: weight.matrix.rows)
      return FewRowsProduct(weight.matrix, weight.bias, Tensor(uninitialized: shape, dtype: dtype))
    }
    OperationClock.measure("matrix product") { FewRowsProduct.compute(self, products) }
    return products.map(\.result)
  }
}
