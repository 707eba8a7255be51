public import Tensor

/// Says how far two tensors are apart, or nil if every element is close enough.
///
/// Close are elements that are equal, both NaN, or `|a − e| ≤ absolute + relative · |e|`.
///
/// ```swift
/// #expect(difference(y, expected, relative: 1e-6) == nil)
/// ```
public func difference(
  _ actual: Tensor,
  _ expected: Tensor,
  relative: Double = 0,
  absolute: Double = 0
) -> String? {
  guard actual.shape == expected.shape else {
    return "shape \(actual.shape) instead of \(expected.shape)"
  }
  return difference(actual.numbers, expected.numbers, relative: relative, absolute: absolute)
    .map { "\(actual.shape): \($0)" }
}

/// Says how far two lists of numbers are apart, or nil if every one is close enough.
public func difference(
  _ actual: [Double],
  _ expected: [Double],
  relative: Double = 0,
  absolute: Double = 0
) -> String? {
  guard actual.count == expected.count else {
    return "\(actual.count) numbers instead of \(expected.count)"
  }
  var (outside, worst, worstExcess) = (0, 0, -Double.infinity)
  for (index, (a, e)) in zip(actual, expected).enumerated() {
    if a == e || (a.isNaN && e.isNaN) { continue }
    let distance = abs(a - e)
    let excess = distance - absolute - relative * abs(e)
    if excess <= 0 { continue }
    outside += 1
    let rank = excess.isNaN ? Double.infinity : excess
    if rank > worstExcess { (worst, worstExcess) = (index, rank) }
  }
  guard outside > 0 else { return nil }
  let (a, e) = (actual[worst], expected[worst])
  return "\(outside) of \(actual.count) elements differ, worst at \(worst): \(a) instead of \(e), "
    + "absolute error \(abs(a - e)), relative \(abs(a - e) / abs(e))"
}

extension Tensor {
  /// The elements as `Double`, whatever the dtype.
  public var numbers: [Double] { converted(to: .float64).elements(as: Double.self) }
}
