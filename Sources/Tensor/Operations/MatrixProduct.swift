internal import CKernels
internal import COpenBLAS

/// Returns the product of two matrices, either of which may be taken transposed.
///
///     y = alpha · op(a) · op(b)   (+ accumulated)
///
/// - Parameters:
///   - first: `[M, K]`, or `[K, M]` if transposed.
///   - second: `[K, N]`, or `[N, K]` if transposed.
///   - firstTransposed: Whether `first` is used as its transpose.
///   - secondTransposed: Whether `second` is used as its transpose.
///   - alpha: A factor of the product.
///   - accumulated: What the product is added to, `[M, N]`.
/// - Returns: `[M, N]`.
/// - Precondition: All are of one dtype, `float32` or `float64`, and the inner extents agree.
/// - Complexity: `2·M·N·K` operations. `float64` through `cblas_dgemm`.
public func matrixProduct(
  _ first: Tensor,
  _ second: Tensor,
  firstTransposed: Bool = false,
  secondTransposed: Bool = false,
  alpha: Double = 1,
  accumulated: Tensor? = nil
) -> Tensor {
  require(
    first.shape.rank == 2 && second.shape.rank == 2,
    "matrixProduct: \(first.shape) × \(second.shape) are not matrices"
  )
  let (rows, depth) =
    firstTransposed
    ? (first.shape[1], first.shape[0]) : (first.shape[0], first.shape[1])
  let (inner, columns) =
    secondTransposed
    ? (second.shape[1], second.shape[0]) : (second.shape[0], second.shape[1])
  require(
    depth == inner,
    "matrixProduct: inner extents differ: \(first.shape) × \(second.shape)"
  )
  require(
    first.dtype == second.dtype && (first.dtype == .float32 || first.dtype == .float64),
    "matrixProduct: \(first.dtype) × \(second.dtype)"
  )
  require(
    accumulated.map { $0.shape == [rows, columns] && $0.dtype == first.dtype } ?? true,
    "matrixProduct: accumulated is not [\(rows), \(columns)] of \(first.dtype)"
  )
  let result = accumulated?.copied() ?? Tensor(uninitialized: [rows, columns], dtype: first.dtype)
  if first.dtype == .float64 {
    _ = Parallelism.threadCount
    cblas_dgemm(
      CblasRowMajor,
      firstTransposed ? CblasTrans : CblasNoTrans,
      secondTransposed ? CblasTrans : CblasNoTrans,
      Int32(rows),
      Int32(columns),
      Int32(depth),
      alpha,
      first.unsafeDoubles,
      Int32(max(1, first.shape[1])),
      second.unsafeDoubles,
      Int32(max(1, second.shape[1])),
      accumulated == nil ? 0 : 1,
      result.unsafeMutableDoubles,
      Int32(max(1, columns))
    )
  } else {
    var matrix = slm_matrix()
    matrix.storage = Int32(SLM_ELEMENTS.rawValue)
    matrix.type = Int32(SLM_FLOAT32.rawValue)
    matrix.rows = Int64(columns)
    matrix.columns = Int64(depth)
    matrix.data = UnsafeRawPointer(second.unsafeFloats)
    matrix.row_bytes = Int64(4 * second.shape[1])
    matrix.transposed = !secondTransposed
    withUnsafePointer(to: matrix) { matrix in
      var product = slm_product()
      product.rows = Int64(rows)
      product.outputs = Int64(columns)
      product.depth = Int64(depth)
      product.weight = matrix
      product.y = result.unsafeMutableFloats
      product.y_step = Int64(columns)
      product.accumulate = accumulated != nil
      let source = PanelSource(
        base: first.unsafeFloats,
        rowStep: firstTransposed ? 1 : depth,
        depthStep: firstTransposed ? rows : 1,
        scale: Float(alpha)
      )
      multiply(product, source)
    }
  }
  withExtendedLifetime((first, second)) {}
  return result
}
