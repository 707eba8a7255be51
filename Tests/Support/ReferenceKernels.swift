internal import Foundation
public import Tensor

/// The operations written plainly in double precision, to compare the kernels with.
public enum Reference {
  /// `x · Wᵀ + bias` for `[M, K]` and `[N, K]`.
  public static func product(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) -> [Double] {
    let (m, n, k) = (x.shape[0], weight.shape[0], x.shape[1])
    let (a, b, c) = (x.numbers, weight.numbers, bias?.numbers)
    var y = [Double](repeating: 0, count: m * n)
    for i in 0..<m {
      for j in 0..<n {
        var sum = c?[j] ?? 0
        for p in 0..<k { sum += a[i * k + p] * b[j * k + p] }
        y[i * n + j] = sum
      }
    }
    return y
  }

  /// Root mean square normalization of rows.
  public static func rmsNorm(_ x: Tensor, _ weight: Tensor?, _ epsilon: Double, _ offset: Double)
    -> [Double]
  {
    let scale = weight?.numbers
    return rows(x) { row in
      let mean: Double = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
      let root: Double = (mean + epsilon).squareRoot()
      return row.enumerated().map { column, value in
        guard let scale else { return value / root }
        return value / root * (scale[column] + offset)
      }
    }
  }

  /// Layer normalization of rows.
  public static func layerNorm(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ epsilon: Double)
    -> [Double]
  {
    let (scale, shift) = (weight.numbers, bias?.numbers)
    return rows(x) { row in
      let mean: Double = row.reduce(0, +) / Double(row.count)
      let variance: Double = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      let root: Double = (variance + epsilon).squareRoot()
      return row.enumerated().map { column, value in
        (value - mean) / root * scale[column] + (shift?[column] ?? 0)
      }
    }
  }

  /// Logarithms of the softmax of rows.
  public static func logSoftmax(_ x: Tensor) -> [Double] {
    rows(x) { row in
      let largest = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      return row.map { $0 - largest - log(sum) }
    }
  }

  /// Rotary embedding of `[B, T, H, C]` by angles `[positions, R/2]`.
  public static func rotary(_ x: Tensor, angles: [[Double]], start: Int) -> [Double] {
    var y = x.numbers
    let (tokens, heads, channels) = (x.shape[1], x.shape[2], x.shape[3])
    for row in 0..<x.shape.rows {
      let token = row / heads % tokens
      let half = angles[start + token].count
      for j in 0..<half {
        let angle = angles[start + token][j]
        let (a, b) = (y[row * channels + j], y[row * channels + half + j])
        y[row * channels + j] = a * cos(angle) - b * sin(angle)
        y[row * channels + half + j] = b * cos(angle) + a * sin(angle)
      }
    }
    return y
  }

  /// Causal attention of `[B, T, H, C]` over `[B, S, K, C]`, within documents if they are given.
  public static func attention(
    _ q: Tensor,
    _ k: Tensor,
    _ v: Tensor,
    start: Int,
    scale: Double,
    window: Int?,
    documentStarts: [Int32]? = nil
  ) -> [Double] {
    let (queries, keys, values) = (q.numbers, k.numbers, v.numbers)
    let (t, h, c) = (q.shape[1], q.shape[2], q.shape[3])
    let (s, heads) = (k.shape[1], k.shape[2])
    var y = [Double](repeating: 0, count: queries.count)
    for b in 0..<q.shape[0] {
      for token in 0..<t {
        for head in 0..<h {
          let query = ((b * t + token) * h + head) * c
          let position = start + token
          let document = documentStarts.map { Int($0[b * t + token]) } ?? 0
          let first = max(document, position - (window ?? Int.max / 2) + 1)
          func row(_ index: Int) -> Int { ((b * s + index) * heads + head * heads / h) * c }
          let scores = (first...position).map { index in
            scale * (0..<c).reduce(0) { $0 + queries[query + $1] * keys[row(index) + $1] }
          }
          let largest = scores.max() ?? 0
          let sum = scores.reduce(0) { $0 + exp($1 - largest) }
          for (index, score) in zip(first..., scores) {
            let p = exp(score - largest) / sum
            for channel in 0..<c { y[query + channel] += p * values[row(index) + channel] }
          }
        }
      }
    }
    return y
  }

  private static func rows(_ x: Tensor, _ body: ([Double]) -> [Double]) -> [Double] {
    let numbers = x.numbers
    return (0..<x.shape.rows).flatMap {
      body(Array(numbers[$0 * x.shape.columns..<($0 + 1) * x.shape.columns]))
    }
  }
}
