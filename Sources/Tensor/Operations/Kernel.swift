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

  /// Whether the kernels for `float32` are the ones to call; `float64` otherwise.
  var isSingle: Bool { dtype == .float32 }

  /// The address of an element of a `float32` tensor; to write only if it was just made.
  func floats(_ index: Int) -> UnsafeMutablePointer<Float> { unsafeMutableFloats + index }

  /// The address of an element of a `float64` tensor; to write only if it was just made.
  func doubles(_ index: Int) -> UnsafeMutablePointer<Double> { unsafeMutableDoubles + index }
}
