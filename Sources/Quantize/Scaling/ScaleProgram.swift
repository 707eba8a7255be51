internal import CKernels
internal import Foundation
internal import Tensor

/// The error of products in 8 bits as a function of the scales between inputs and weights, and its
/// least value.
///
/// A rounded number is off by an error of variance `Δ²/12`, where `Δ` is 1/127 of the largest
/// magnitude in its row. Of inputs `x_t` divided by scales `s`, and rows `w_i` of weights multiplied
/// by them, the products are off by
///
///     12 · 127² · E(s) = Σ_t max_j (x_tj / s_j)² · Σ_ij (w_ij · s_j)²
///                      + Σ_i max_j (w_ij · s_j)² · Σ_tj (x_tj / s_j)²
///
/// the first term from inputs, the second from weights. Every factor is a sum of largest ones of
/// powers of the scales, so that log E is convex in log s: a geometric program, with one minimum
/// that descent from anywhere leads to. Layers that read the same inputs add up, each divided by
/// the squared length of its outputs.
///
/// Few inputs are known, and a channel that is small in all of them would get a scale that a
/// larger value ruins. So the largest magnitudes of all channels count as one input more.
///
/// Scales by optimization are known from OmniQuant (Shao et al. 2023, arXiv:2308.13137), which
/// trains them by gradients of a block's error with simulated rounding; here is no rounding, but
/// its variance, which needs no more than maxima and sums.
struct ScaleProgram {
  /// A factor of the error: sums over rows of the largest scaled element, squared.
  fileprivate struct Maxima {
    let rows: Tensor
    /// What each row's square is multiplied by.
    let importance: [Double]
  }

  private let inputs: Maxima
  private let weights: Maxima
  /// `Σ_t x_tj²` of each column.
  private let inputSquares: [Double]
  /// `Σ_i w_ij²` of each column, with the importance of rows.
  private let weightSquares: [Double]
  /// The scale of each column.
  private let scaleOfColumn: [Int]
  private let scaleCount: Int

  /// Steps of the descent.
  private static let steps = 200
  /// The largest change of a scale's logarithm in the first step; later ones are less.
  private static let stepSize = 0.05

  /// Prepares the program.
  ///
  /// - Parameters:
  ///   - samples: Inputs, `[T, D]`, float32, finite.
  ///   - largest: The largest magnitude of each column in all inputs, `[D]`.
  ///   - matrices: The weights of the layers, `[N, D]` each, float32, finite.
  ///   - outputNorms: The squared length of each layer's outputs for the samples.
  ///   - scaleOfColumn: The scale that each of the `D` columns has.
  ///   - scaleCount: How many scales there are.
  init(
    samples: Tensor,
    largest: [Float],
    matrices: [Tensor],
    outputNorms: [Double],
    scaleOfColumn: [Int],
    scaleCount: Int
  ) {
    let columns = samples.shape.columns
    let rows = Tensor.concatenated([samples, Tensor(largest, shape: [1, columns])])
    inputs = Maxima(rows: rows, importance: Array(repeating: 1, count: rows.shape.rows))
    inputSquares = rows.columnSums(squared: true).elements(as: Double.self)
    weights = Maxima(
      rows: Tensor.concatenated(matrices),
      importance: zip(matrices, outputNorms).flatMap { matrix, norm in
        Array(repeating: norm > 0 ? 1 / norm : 0, count: matrix.shape.rows)
      }
    )
    var squares = Array(repeating: 0.0, count: columns)
    for (matrix, norm) in zip(matrices, outputNorms) where norm > 0 {
      let sums = matrix.columnSums(squared: true).elements(as: Double.self)
      for column in squares.indices { squares[column] += sums[column] / norm }
    }
    weightSquares = squares
    self.scaleOfColumn = scaleOfColumn
    self.scaleCount = scaleCount
  }

  /// Descends from scales of 1, and returns the best of those met.
  ///
  /// Deterministic, whatever the number of threads. Scales of which neither term knows anything stay
  /// 1.
  ///
  /// - Complexity: 200 times the elements of inputs and weights.
  func minimum() -> [Float] {
    var logarithms = Array(repeating: 0.0, count: scaleCount)
    var (first, second) = (logarithms, logarithms)
    var best = (error: Double.infinity, logarithms: logarithms)
    for step in 1...Self.steps {
      let (error, gradient) = value(logarithms)
      guard error > 0, error.isFinite else { break }
      if error < best.error { best = (error, logarithms) }
      // Adam (Kingma & Ba 2014), with steps that end at zero.
      let size = Self.stepSize * (1 - Double(step - 1) / Double(Self.steps))
      for index in logarithms.indices {
        first[index] += 0.1 * (gradient[index] - first[index])
        second[index] += 0.01 * (gradient[index] * gradient[index] - second[index])
        let mean = first[index] / (1 - pow(0.9, Double(step)))
        let spread = (second[index] / (1 - pow(0.99, Double(step)))).squareRoot()
        if spread > 0 { logarithms[index] -= size * mean / spread }
      }
    }
    return best.logarithms.map { Float(min(max(exp($0), 1e-5), 1e5)) }
  }

  /// The error, but for the constant factor, and the gradient of its logarithm by logarithms of
  /// scales.
  func value(_ logarithms: [Double]) -> (error: Double, gradient: [Double]) {
    let scales = scaleOfColumn.map { exp(logarithms[$0]) }
    let factors = scales.map { Float($0) }
    let divisors = scales.map { Float(1 / $0) }
    var (largeInputs, largeWeights) = (0.0, 0.0)
    var inputShares = Array(repeating: 0.0, count: scales.count)
    var weightShares = inputShares
    inputs.add(divisors, to: &largeInputs, shares: &inputShares)
    weights.add(factors, to: &largeWeights, shares: &weightShares)
    var (allInputs, allWeights) = (0.0, 0.0)
    for (column, scale) in scales.enumerated() {
      allInputs += inputSquares[column] / (scale * scale)
      allWeights += weightSquares[column] * scale * scale
    }
    let error = largeInputs * allWeights + largeWeights * allInputs
    var gradient = Array(repeating: 0.0, count: scaleCount)
    for (column, scale) in scales.enumerated() {
      let fromInputs =
        largeInputs * weightSquares[column] * scale * scale - inputShares[column] * allWeights
      let fromWeights =
        weightShares[column] * allInputs - largeWeights * inputSquares[column] / (scale * scale)
      gradient[scaleOfColumn[column]] += 2 * (fromInputs + fromWeights) / error
    }
    return (error, gradient)
  }
}

extension ScaleProgram.Maxima {
  /// Adds the square of each row's largest element once it is scaled, and to each column's share
  /// those that it has.
  fileprivate func add(_ scales: [Float], to sum: inout Double, shares: inout [Double]) {
    let (count, columns) = (rows.shape.rows, rows.shape.columns)
    var places = Array(repeating: Int64(0), count: count)
    var values = Array(repeating: Float(0), count: count)
    rows.withElements(as: Float.self) { elements in
      scales.withUnsafeBufferPointer { scales in
        places.withUnsafeMutableBufferPointer { places in
          values.withUnsafeMutableBufferPointer { values in
            let (elements, scales) = (Shared(elements.baseAddress), Shared(scales.baseAddress))
            let (places, values) = (Shared(places.baseAddress), Shared(values.baseAddress))
            parallelRanges(count, grain: max(1, 65_536 / max(1, columns))) { range in
              for row in range {
                places.pointer?[row] = slm_largest_scaled(
                  elements.pointer.map { $0 + row * columns },
                  scales.pointer,
                  Int64(columns),
                  values.pointer.map { $0 + row }
                )
              }
            }
          }
        }
      }
    }
    for row in 0..<count {
      let square = importance[row] * Double(values[row]) * Double(values[row])
      sum += square
      shares[Int(places[row])] += square
    }
  }
}
