internal import CKernels

extension StoredMatrix {
  /// Whether the weight is integer codes of at most 8 bits around zero with a scale per row or per
  /// group of columns, so that it can be multiplied in integers: symmetric codes, blocks of Q8_0
  /// and Q4_0, `int8`.
  public var hasIntegerCodes: Bool { columns > 0 && withKernelMatrix { slm_matrix_has_codes($0) } }
}

extension Tensor {
  /// Returns the product with the transpose of a weight in integers, `x · Wᵀ + bias`, each row of
  /// `x` rounded to 8 bits.
  ///
  ///     s = scale, or max |x| / 127 of the row
  ///     q = clamp(round(x / s), −128, 127)                  ties to even
  ///     y = s · Σ_groups scale_group · Σ_group q · code + bias
  ///
  /// The inner sums are exact `int32`; results are the same bits on every CPU, for any number of
  /// rows and threads.
  ///
  /// Backward: as if nothing had been rounded (straight through), dx = dy · W and
  /// dbias = Σ_rows dy.
  ///
  /// - Parameters:
  ///   - weight: `[N, K]`, with integer codes.
  ///   - bias: What is added to each output, `[N]`, `float32`.
  ///   - scale: The scale of every row, beyond whose reach values saturate; nil to take each row's
  ///     own.
  /// - Returns: `[..., N]` for `[..., K]`, `float32`. Rows that hold an infinity or what is not a
  ///   number are not numbers.
  /// - Precondition: The last axis of `self` is `K`, of `float32`; `weight` has integer codes, at
  ///   most 131,071 columns to a group; `scale` is positive.
  /// - Complexity: `2·M·N·K` operations; up to 3 MB of packed numbers beyond the result, and 150 KB
  ///   a thread.
  ///
  /// Source: Jacob et al., *Quantization and Training of Neural Networks for Efficient
  /// Integer-Arithmetic-Only Inference*, 2017, arXiv:1712.05877, section 2.2, with symmetric codes;
  /// a scale per row of activations as in Yao et al., *ZeroQuant*, 2022, arXiv:2206.01861.
  public func multipliedInIntegers(
    by weight: StoredMatrix,
    bias: Tensor? = nil,
    scale: Float? = nil
  ) -> Tensor {
    require(
      dtype == .float32 && shape.rank > 0 && shape.columns == weight.columns,
      "multipliedInIntegers: \(shape) of \(dtype) by the transpose of "
        + "[\(weight.rows), \(weight.columns)]"
    )
    require(weight.hasIntegerCodes, "multipliedInIntegers: the weight has no integer codes")
    require(
      bias.map { $0.shape == [weight.rows] && $0.dtype == .float32 } ?? true,
      "multipliedInIntegers: bias is not [\(weight.rows)] of float32"
    )
    requireScale("multipliedInIntegers", scale)
    let result = Tensor(
      uninitialized: shape.replacingColumns(with: weight.rows),
      dtype: .float32
    )
    OperationClock.measure("integer product") {
      weight.storeIntegerOutput(of: self, bias, scale, into: result)
    }
    let inputShape = shape
    return result.recorded(
      "multipliedInIntegers",
      [self] + (bias.map { [$0] } ?? []),
      accumulating: { gradient, slots in
        slots.accumulate(into: 0, shape: inputShape, dtype: .float32) { buffer, isEmpty in
          weight.storeInputGradient(of: gradient, into: buffer, accumulating: !isEmpty)
        }
        if slots.nodes.count == 2 && slots.isNeeded(1) {
          slots.add(gradient.columnSums().converted(to: .float32), to: 1)
        }
      }
    )
  }

  /// Returns each row rounded to 8 bits as ``multipliedInIntegers(by:bias:scale:)`` does, as
  /// numbers: `s · clamp(round(x / s), −128, 127)`.
  ///
  /// Backward: dx = dy, straight through.
  ///
  /// - Parameter scale: The scale of every row, beyond whose reach values saturate; nil to take
  ///   each row's own, max |x| / 127.
  /// - Returns: A tensor of the shape of `self`; rows that hold an infinity or what is not a number
  ///   are not numbers.
  /// - Precondition: `float32`; `scale` is positive.
  public func roundedToEightBits(scale: Float? = nil) -> Tensor {
    require(dtype == .float32, "roundedToEightBits: \(dtype) is not float32")
    requireScale("roundedToEightBits", scale)
    let result = Tensor(uninitialized: shape, dtype: .float32)
    let columns = shape.columns
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self, result]) { range in
      withUnsafeTemporaryAllocation(of: Int8.self, capacity: max(1, columns)) { codes in
        guard let codes = codes.baseAddress else { return }
        for row in range {
          let y = result.floats(row * columns)
          let s = slm_integer_round(floats(row * columns), Int64(columns), scale ?? 0, codes)
          for column in 0..<columns { y[column] = s * Float(codes[column]) }
        }
      }
    }
    return result.recorded("roundedToEightBits", [self]) { dy, _ in [dy] }
  }

  private func requireScale(_ operation: StaticString, _ scale: Float?) {
    require(scale.map { $0 > 0 && $0.isFinite } ?? true, "\(operation): scale \(scale ?? 0)")
  }
}

extension StoredMatrix {
  fileprivate func storeIntegerOutput(
    of x: Tensor,
    _ bias: Tensor?,
    _ scale: Float?,
    into result: Tensor
  ) {
    guard x.shape.rows > 0 && rows > 0 else { return }
    withKernelMatrix { matrix in
      var product = slm_integer()
      product.rows = Int64(x.shape.rows)
      product.outputs = Int64(rows)
      product.depth = Int64(columns)
      product.x = x.unsafeFloats
      product.x_step = Int64(columns)
      product.scale = scale ?? 0
      product.weight = matrix
      product.bias = bias.map { $0.unsafeFloats }
      product.y = result.unsafeMutableFloats
      product.y_step = Int64(rows)
      let variant = slm_integer_variant_at(0)
      let packed = Storage(byteCount: slm_integer_bytes(&product, variant))
      slm_integer_product(&product, variant, packed.base, Int32(Parallelism.threadCount))
      withExtendedLifetime(packed) {}
    }
    withExtendedLifetime((x, bias)) {}
  }
}
