/// The precision in which a product's factors are taken.
///
/// Sums and results are `float32` in either.
public enum ProductPrecision: String, Sendable, CaseIterable {
  /// Factors as they are.
  case float32
  /// Factors rounded to `bfloat16`, the nearest, ties to even: 8 bits of fraction, half the memory
  /// traffic, and on CPUs that multiply pairs of them twice the operations a second.
  case bfloat16
}
