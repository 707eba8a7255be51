internal import Models
internal import Tensor

/// A projection refitted to fewer inputs.
struct CompensatedWeight {
  /// The weight with removed columns zero, `[outputs, inputs]`, `float32`.
  let weight: Tensor
  /// `‖W X − W' X‖² / ‖W X‖²` over the text with removed columns zero and nothing refitted.
  let errorBefore: Double
  /// The same refitted.
  let errorAfter: Double
}

/// Refits a projection so that some of its inputs make up for the others.
///
/// With `K` the columns that remain, `R` those that do not, and `G` the Gram matrix of the inputs:
///
///     Δ = W_R · G_RK · (G_KK + λI)⁻¹          W'_K = W_K + Δ
///
/// which minimizes `‖W X − W'_K X_K‖² + λ‖Δ‖²` over the text.
///
/// - Parameters:
///   - weight: The projection, `[outputs, inputs]`, `float32`.
///   - gram: `Σ x xᵀ`, `[inputs, inputs]`, `float64`.
///   - kept: The columns that remain, ascending.
///   - damping: `λ` as a fraction of the mean diagonal of `G_KK`.
///   - layer: What to call the projection in errors.
/// - Returns: The refitted projection and its errors.
/// - Throws: ``PruneError`` if the matrix cannot be inverted.
/// - Complexity: O(kept³ + outputs · inputs · kept) operations in `float64`.
func compensate(
  _ weight: Tensor,
  gram: Tensor,
  kept: [Int],
  damping: Double,
  layer: String
) throws(PruneError) -> CompensatedWeight {
  let columns = weight.shape[1]
  let isKept = Set(kept)
  let removed = (0..<columns).filter { !isKept.contains($0) }
  let wide = weight.converted(to: .float64).transposed()  // [inputs, outputs]
  let keptIndices = kept.map { Int32($0) }
  let removedIndices = removed.map { Int32($0) }
  func part(_ rows: [Int32], _ columns: [Int32]) -> Tensor {
    gram.gathered(rows: rows).transposed().gathered(rows: columns)  // [columns, rows]
  }
  let keptGram = part(keptIndices, keptIndices)
  let crossGram = part(removedIndices, keptIndices)  // [K, R]
  let removedGram = part(removedIndices, removedIndices)
  let removedWeight = wide.gathered(rows: removedIndices)  // [R, outputs]
  let diagonal = kept.indices.map { keptGram.double($0, $0) }
  let mean = diagonal.reduce(0, +) / Double(max(1, kept.count))
  guard mean.isFinite, mean > 0 else {
    throw PruneError(
      .notPositiveDefinite,
      "the inputs that remain are all zero",
      at: layer,
      remedy: "calibrate on other text, or use `compensate: false`"
    )
  }
  var damped = keptGram
  damped.addToDiagonal(damping * mean)
  let inverse: Tensor
  do {
    inverse = try damped.inverseOfPositiveDefinite()
  } catch {
    throw PruneError(
      .notPositiveDefinite,
      "the inputs that remain are too alike to be told apart (\(error))",
      at: layer,
      remedy: "calibrate on more text, or raise `damping`"
    )
  }
  let missing = matrixProduct(crossGram, removedWeight)  // [K, outputs]
  let change = matrixProduct(inverse, missing)  // [K, outputs]
  // ‖W_R X_R − Δ X_K‖², as traces of products that exist already.
  let removedEnergy = removedWeight.dot(matrixProduct(removedGram, removedWeight))
  let error =
    removedEnergy - 2 * change.dot(missing) + change.dot(matrixProduct(keptGram, change))
  let total = wide.dot(matrixProduct(gram, wide))
  var refitted = wide.gathered(rows: keptIndices)
  refitted.add(change)
  return CompensatedWeight(
    weight: refitted.scattered(rows: keptIndices, of: columns).transposed()
      .converted(to: .float32),
    errorBefore: total > 0 ? removedEnergy / total : 0,
    errorAfter: total > 0 ? max(0, error) / total : 0
  )
}

extension Tensor {
  /// An element of a `float64` matrix.
  fileprivate func double(_ row: Int, _ column: Int) -> Double {
    withElements(as: Double.self) { $0[row * shape[1] + column] }
  }

  /// Adds a number to every element of the diagonal of a `float64` matrix.
  mutating func addToDiagonal(_ value: Double) {
    let columns = shape[1]
    withMutableElements(as: Double.self) { elements in
      for index in 0..<columns { elements[index * columns + index] += value }
    }
  }

  /// Puts the rows of a `float64` matrix into one of zeros with `count` rows.
  fileprivate func scattered(rows: [Int32], of count: Int) -> Tensor {
    let columns = shape[1]
    var result = Tensor(zeros: [count, columns], dtype: .float64)
    withElements(as: Double.self) { source in
      result.withMutableElements(as: Double.self) { target in
        for (index, row) in rows.enumerated() {
          for column in 0..<columns {
            target[Int(row) * columns + column] = source[index * columns + column]
          }
        }
      }
    }
    return result
  }
}
