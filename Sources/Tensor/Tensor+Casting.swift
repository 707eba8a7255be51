internal import CKernels

extension DType {
  /// The type's number in the kernels.
  package var kernelType: Int32 {
    let type: slm_type =
      switch self {
      case .float64: SLM_FLOAT64
      case .float32: SLM_FLOAT32
      case .float16: SLM_FLOAT16
      case .bfloat16: SLM_BFLOAT16
      case .float8E4M3: SLM_FLOAT8_E4M3
      case .float8E5M2: SLM_FLOAT8_E5M2
      case .int64: SLM_INT64
      case .int32: SLM_INT32
      case .int16: SLM_INT16
      case .int8: SLM_INT8
      case .uint64: SLM_UINT64
      case .uint32: SLM_UINT32
      case .uint16: SLM_UINT16
      case .uint8: SLM_UINT8
      case .bool: SLM_BOOL
      }
    return Int32(type.rawValue)
  }
}

extension Tensor {
  /// Returns the elements converted to another type; `self` if it is of that type already.
  ///
  /// To a floating type numbers are rounded once, to the nearest, ties to even. What is too large
  /// becomes infinity, or 448 in `float8E4M3`, which has no infinity; NaN stays NaN. To an integer
  /// type the fraction is dropped, what lies outside becomes the nearest value, and NaN 0. To
  /// `bool`: whether the element is not 0.
  ///
  /// The gradient passes through conversions between floating-point types as it is, whatever
  /// rounding does, in `float32` except by `float64` tensors. It ends at integers and `bool`.
  ///
  /// - Complexity: One pass. Conversions from `int64` beyond 2⁵³ to 16 bits and less round twice.
  public func converted(to dtype: DType) -> Tensor {
    guard dtype != self.dtype else { return self }
    let result = Tensor(uninitialized: shape, dtype: dtype)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    let (from, to) = (self.dtype, dtype)
    parallelRanges(count, grain: 1 << 15) { range in
      slm_convert(
        from.kernelType,
        source.pointer + range.lowerBound * from.byteCount,
        to.kernelType,
        target.pointer + range.lowerBound * to.byteCount,
        Int64(range.count)
      )
    }
    withExtendedLifetime(self) {}
    guard to.isFloatingPoint && from.isFloatingPoint else { return result }
    let gradientType = gradientType
    return result.recorded("converted", [self]) { dy, _ in [dy.converted(to: gradientType)] }
  }

  /// Returns a tensor with the same elements in memory of its own.
  public func copied() -> Tensor {
    let result = Tensor(uninitialized: shape, dtype: dtype)
    withBytes {
      UnsafeMutableRawBufferPointer(start: result.unsafeBase, count: byteCount).copyMemory(from: $0)
    }
    return result.recorded("copied", [self]) { dy, _ in [dy] }
  }

  /// The address of the first `float32`; valid while the tensor lives.
  var unsafeFloats: UnsafePointer<Float> { UnsafePointer(unsafeMutableFloats) }

  /// The address of the first `float64`; valid while the tensor lives.
  var unsafeDoubles: UnsafePointer<Double> { UnsafePointer(unsafeMutableDoubles) }

  /// The same for a tensor that was just made and is shared with nobody.
  var unsafeMutableFloats: UnsafeMutablePointer<Float> {
    unsafeBase.assumingMemoryBound(to: Float.self)
  }

  /// The same for a tensor that was just made and is shared with nobody.
  var unsafeMutableDoubles: UnsafeMutablePointer<Double> {
    unsafeBase.assumingMemoryBound(to: Double.self)
  }
}
