internal import COpenBLAS

/// A matrix that must be positive definite is not.
public struct NotPositiveDefinite: Error, Equatable, CustomStringConvertible {
  /// The order of the first leading minor that is not positive, from 1.
  public let order: Int

  package init(order: Int) { self.order = order }

  /// What is wrong, and where.
  public var description: String {
    "matrix is not positive definite: its leading minor of order \(order) is not positive"
  }
}

extension Tensor {
  /// Returns the triangular factor of a symmetric positive definite matrix.
  ///
  ///     self = L · Lᵀ        or, upper,        self = Uᵀ · U
  ///
  /// - Parameter isUpper: Whether to return `U` rather than `L = Uᵀ`.
  /// - Returns: `[N, N]`, zero in the other triangle.
  /// - Throws: ``NotPositiveDefinite``.
  /// - Precondition: `[N, N]` of `float32` or `float64`; only the triangle returned is read.
  /// - Complexity: `N³/3` operations, by LAPACK's `potrf`.
  public func choleskyFactor(isUpper: Bool = false) throws(NotPositiveDefinite) -> Tensor {
    let size = requireSquare("choleskyFactor")
    let factor = copied()
    try factor.factorizeInPlace(isUpper: isUpper)
    for row in 0..<size {
      for column in isUpper ? 0..<row : row + 1..<size {
        if isSingle {
          factor.floats(row * size + column).pointee = 0
        } else {
          factor.doubles(row * size + column).pointee = 0
        }
      }
    }
    return factor
  }

  /// Returns the inverse of a symmetric positive definite matrix.
  ///
  /// - Returns: `[N, N]`, symmetric.
  /// - Throws: ``NotPositiveDefinite``.
  /// - Precondition: `[N, N]` of `float32` or `float64`; only the lower triangle is read.
  /// - Complexity: `N³` operations, by LAPACK's `potrf` and `potri`.
  public func inverseOfPositiveDefinite() throws(NotPositiveDefinite) -> Tensor {
    let size = requireSquare("inverseOfPositiveDefinite")
    let inverse = copied()
    try inverse.factorizeInPlace(isUpper: false)
    var (order, leading, status) = (Int32(size), Int32(size), Int32(0))
    Parallelism.withThreadsOfBLAS(order: size) {
      if isSingle {
        spotri_("U", &order, inverse.floats(0), &leading, &status)
      } else {
        dpotri_("U", &order, inverse.doubles(0), &leading, &status)
      }
    }
    if status > 0 { throw NotPositiveDefinite(order: Int(status)) }
    for row in 0..<size {
      for column in row + 1..<size {
        if isSingle {
          inverse.floats(row * size + column).pointee =
            inverse.floats(column * size + row).pointee
        } else {
          inverse.doubles(row * size + column).pointee =
            inverse.doubles(column * size + row).pointee
        }
      }
    }
    return inverse
  }

  /// Replaces one triangle of a matrix that was just copied by its factor.
  func factorizeInPlace(isUpper: Bool) throws(NotPositiveDefinite) {
    // LAPACK counts by columns: what it calls upper is the lower triangle here.
    let triangle = isUpper ? "L" : "U"
    var (order, status) = (Int32(shape[0]), Int32(0))
    var leading = max(1, order)
    Parallelism.withThreadsOfBLAS(order: shape[0]) {
      if isSingle {
        spotrf_(triangle, &order, floats(0), &leading, &status)
      } else {
        dpotrf_(triangle, &order, doubles(0), &leading, &status)
      }
    }
    if status > 0 { throw NotPositiveDefinite(order: Int(status)) }
  }

  func requireSquare(_ operation: StaticString) -> Int {
    requireReal(operation)
    require(
      shape.rank == 2 && shape[0] == shape[1] && shape[0] > 0,
      "\(operation): \(shape) is not square"
    )
    return shape[0]
  }
}
