internal import CKernels

/// The precision in which a product's factors are taken.
///
/// Sums and results are `float32` in either.
public enum ProductPrecision: String, Sendable, CaseIterable {
  /// Factors as they are.
  case float32
  /// Factors rounded to `bfloat16`, the nearest, ties to even: 8 bits of fraction, half the memory
  /// traffic, and on CPUs that multiply pairs of them twice the operations a second.
  case bfloat16

  /// Whether this CPU multiplies in the precision: `bfloat16` takes AVX512_BF16.
  ///
  /// A product that is asked for an unsupported precision is computed in `float32`, which is as
  /// fast and more exact there; whoever chooses the precision asks here and says which it is.
  public var isSupported: Bool {
    switch self {
    case .float32: true
    case .bfloat16: slm_has_bfloat16()
    }
  }
}
