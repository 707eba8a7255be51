internal import CKernels

/// A matrix as a factor of a product: as it lies, or transposed.
struct MatrixFactor {
  /// `[rows, columns]` as it lies.
  let elements: Tensor
  let isTransposed: Bool

  /// Takes the last axis as columns and all others as rows.
  init(_ elements: Tensor, transposed: Bool = false) {
    self.elements = elements.detached.reshaped([elements.shape.rows, elements.shape.columns])
    self.isTransposed = transposed
  }

  private init(matrix: Tensor, transposed: Bool) {
    elements = matrix
    isTransposed = transposed
  }

  /// The rows of the factor.
  var rows: Int { elements.shape[isTransposed ? 1 : 0] }
  /// The columns of the factor.
  var columns: Int { elements.shape[isTransposed ? 0 : 1] }
  var transposed: MatrixFactor { MatrixFactor(matrix: elements, transposed: !isTransposed) }
}

/// Writes a product of matrices, or adds it: the door through which every dense product goes.
///
///     result (+)= alpha · first · second + bias
///
/// - Parameters:
///   - first: `[M, K]`.
///   - second: `[K, N]`.
///   - result: `M · N` elements in rows of `N`; just made, or held by nobody else.
///   - accumulating: Whether to add to what `result` holds. If not, it may be uninitialized.
///   - alpha: A factor of the product.
///   - bias: Added to each row, `[N]`.
///   - precision: How the factors of a `float32` product are rounded; `float64` ignores it.
/// - Precondition: All are of one dtype, `float32` or `float64`.
func storeProduct(
  _ first: MatrixFactor,
  _ second: MatrixFactor,
  into result: Tensor,
  accumulating: Bool,
  alpha: Double = 1,
  bias: Tensor? = nil,
  precision: ProductPrecision = .float32
) {
  let (rows, depth, columns) = (first.rows, first.columns, second.columns)
  let dtype = result.dtype
  result.requireReal("product")
  require(
    second.rows == depth && result.count == rows * columns,
    "product: [\(rows), \(depth)] × [\(second.rows), \(columns)] into \(result.shape)"
  )
  require(
    first.elements.dtype == dtype && second.elements.dtype == dtype
      && (bias.map { $0.dtype == dtype && $0.shape == [columns] } ?? true),
    "product: \(first.elements.dtype) × \(second.elements.dtype) into \(dtype)"
  )
  OperationClock.measure("matrix product") {
    if dtype == .float64 {
      multiplyDoubles(first, second, into: result, accumulating, alpha, bias)
    } else {
      multiplyFloats(first, second, into: result, accumulating, alpha, bias, precision)
    }
  }
  withExtendedLifetime((first.elements, second.elements, result, bias)) {}
}

/// In `float64`, by OpenBLAS.
private func multiplyDoubles(
  _ first: MatrixFactor,
  _ second: MatrixFactor,
  into result: Tensor,
  _ accumulating: Bool,
  _ alpha: Double,
  _ bias: Tensor?
) {
  let columns = second.columns
  DoubleProduct(
    first: .init(first.elements.unsafeDoubles, first.elements.shape[1], first.isTransposed),
    second: .init(second.elements.unsafeDoubles, second.elements.shape[1], second.isTransposed),
    result: result.unsafeMutableDoubles,
    step: columns,
    alpha: alpha,
    accumulating: accumulating
  ).compute(rows: first.rows, columns: columns, depth: first.columns)
  guard let bias else { return }
  for row in 0..<first.rows {
    slm_add_scaled_f64(1, bias.doubles(0), Int64(columns), result.doubles(row * columns))
  }
}

private func multiplyFloats(
  _ first: MatrixFactor,
  _ second: MatrixFactor,
  into result: Tensor,
  _ accumulating: Bool,
  _ alpha: Double,
  _ bias: Tensor?,
  _ precision: ProductPrecision
) {
  let (rows, depth, columns) = (first.rows, first.columns, second.columns)
  if precision == .float32 && second.isTransposed && !first.isTransposed && !accumulating
    && alpha == 1 && rows <= fewRows
  {
    let product = FewRowsProduct(StoredMatrix(second.elements), bias, result)
    return FewRowsProduct.compute(first.elements, [product])
  }
  var product = slm_dense()
  product.a = slm_factor(
    data: first.elements.unsafeFloats,
    extent: Int64(rows),
    step: Int64(first.isTransposed ? 1 : depth),
    depth_step: Int64(first.isTransposed ? rows : 1)
  )
  product.b = slm_factor(
    data: second.elements.unsafeFloats,
    extent: Int64(columns),
    step: Int64(second.isTransposed ? depth : 1),
    depth_step: Int64(second.isTransposed ? 1 : columns)
  )
  product.depth = Int64(depth)
  product.scale = Float(alpha)
  product.bias = bias.map { $0.unsafeFloats }
  product.c = result.unsafeMutableFloats
  product.c_step = Int64(columns)
  product.accumulate = accumulating
  multiplyDense(product, precision)
}

/// Runs a product on all threads.
func multiplyDense(_ description: slm_dense, _ precision: ProductPrecision) {
  var product = description
  guard product.a.extent > 0 && product.b.extent > 0 else { return }
  guard product.depth > 0 else { return fillWithoutDepth(product) }
  let pairs = precision == .bfloat16 && ProductPrecision.bfloat16.isSupported
  let packed = Storage(byteCount: slm_dense_bytes(&product, slm_dense_variant_at(pairs, 0)))
  slm_dense_product(
    &product,
    slm_dense_variant_at(pairs, 0),
    packed.base,
    Int32(Parallelism.threadCount)
  )
  withExtendedLifetime(packed) {}
}

/// Writes the product of matrices whose inner extent is 0: the bias, or zeros.
private func fillWithoutDepth(_ product: slm_dense) {
  for row in 0..<Int(product.a.extent) {
    for column in 0..<Int(product.b.extent) {
      let index = row * Int(product.c_step) + column
      let kept = product.accumulate ? product.c[index] : 0
      product.c[index] = kept + (product.bias?[column] ?? 0)
    }
  }
}
