internal import CKernels
package import Tensor

extension Tensor {
  /// The number of elements that are zero.
  ///
  /// - Precondition: `float32`.
  package var zeroCount: Int {
    require(dtype == .float32, "zeroCount: \(dtype)")
    return withElements(as: Float.self) { elements in
      elements.baseAddress.map { Int(slm_count_zeros($0, Int64(elements.count))) } ?? 0
    }
  }
}
