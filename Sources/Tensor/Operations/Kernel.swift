internal import CKernels

/// Elements from which a loop over them is worth dividing between threads.
let elementGrain = 1 << 14

/// Rows of the given length that together are worth a part of a parallel loop.
func rowGrain(_ columns: Int) -> Int { max(1, elementGrain / max(1, columns)) }

/// Runs a kernel over parts of `0..<count` while `tensors` stay in memory.
func withKernel(
  _ count: Int,
  grain: Int,
  keeping tensors: [Tensor?],
  _ body: @Sendable (Range<Int>) -> Void
) {
  parallelRanges(count, grain: grain, body)
  withExtendedLifetime(tensors) {}
}

extension Tensor {
  /// Stops unless the elements are of a type that arithmetic is defined for.
  func requireReal(_ operation: StaticString) {
    require(
      dtype == .float32 || dtype == .float64,
      "\(operation): \(dtype) is not float32 or float64"
    )
  }

  /// Stops unless `other` is of the same dtype and has the shape `expected`.
  func requirePartner(_ operation: StaticString, _ other: Tensor, _ expected: Shape) {
    require(
      other.dtype == dtype && other.shape == expected,
      "\(operation): \(other.shape) of \(other.dtype) is not \(expected) of \(dtype)"
    )
  }

  /// Stops if the tensor is being differentiated through, where no gradient could pass.
  func requireConstant(_ operation: StaticString) {
    require(node == nil, "\(operation): no gradient passes here; use a detached tensor")
  }

  /// `self` for a backward rule that needs it only for the gradient of `input`; nil if that one
  /// is a constant.
  func kept(for input: Tensor) -> Tensor? { input.node == nil ? nil : detached }

  /// The dtype of gradients by the tensor: narrow types get them in `float32`.
  var gradientType: DType { dtype == .float64 ? .float64 : .float32 }

  /// Sets all elements of a tensor that nobody else holds to 0.
  func clear() {
    let base = Shared(unsafeBase)
    withKernel(byteCount, grain: 1 << 18, keeping: [self]) { range in
      (base.pointer + range.lowerBound).initializeMemory(
        as: UInt8.self,
        repeating: 0,
        count: range.count
      )
    }
  }

  /// Adds `x` to the elements from `first` on of a tensor that nobody else holds.
  func addElements(_ x: Tensor, at first: Int) {
    withKernel(x.count, grain: elementGrain, keeping: [self, x]) { range in
      let (count, start) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_add_scaled_f32(1, x.floats(start), count, floats(first + start))
      } else {
        slm_add_scaled_f64(1, x.doubles(start), count, doubles(first + start))
      }
    }
  }

  /// Whether the kernels for `float32` are the ones to call; `float64` otherwise.
  var isSingle: Bool { dtype == .float32 }

  /// The address of an element of a `float32` tensor; to write only if it was just made.
  func floats(_ index: Int) -> UnsafeMutablePointer<Float> { unsafeMutableFloats + index }

  /// The address of an element of a `float64` tensor; to write only if it was just made.
  func doubles(_ index: Int) -> UnsafeMutablePointer<Double> { unsafeMutableDoubles + index }
}
