internal import Calibrate
internal import Foundation
internal import Models
internal import Tensor

/// Returns the scales of a pair that even out its inputs at the cost of its readers' weights.
///
///     s_j = max|x_j|^α / max|w_j|^(1−α)
///
/// A channel without any input or weight keeps its scale.
///
/// - Parameters:
///   - inputs: The largest magnitude of the input for each scale.
///   - weights: The largest magnitude of the readers' columns for each scale.
///   - alpha: `α`, from 0, where all is left to the inputs, to 1.
/// - Returns: Scales between 1e-5 and 1e5.
///
/// Source: Xiao et al., *SmoothQuant: Accurate and Efficient Post-Training Quantization for Large
/// Language Models*, 2022, arXiv:2211.10438, equation 4.
func smoothingScales(inputs: [Double], weights: [Double], alpha: Double) -> [Float] {
  zip(inputs, weights).map { input, weight in
    guard input > 0, weight > 0 else { return 1 }
    return Float(min(max(pow(input, alpha) / pow(weight, 1 - alpha), 1e-5), 1e5))
  }
}

/// A pair's readers with a sample of their inputs, to see what scales do when both are rounded to
/// 8 bits.
struct SmoothingProblem {
  let pair: ScalingPair
  /// The largest magnitude of the input for each scale.
  let inputs: [Double]
  /// The largest magnitude of the readers' columns for each scale.
  let weights: [Double]

  private let matrices: [(name: String, elements: Tensor)]
  private let samples: Tensor
  private let largest: [Float]
  private let outputs: [Tensor]

  /// Prepares to try scales.
  ///
  /// - Parameters:
  ///   - pair: Where the scales go.
  ///   - statistics: The inputs' magnitudes and samples.
  init(_ pair: ScalingPair, _ statistics: InputStatistics) {
    guard let samples = statistics.samples else { fail("smoothing: no samples were collected") }
    self.pair = pair
    self.samples = samples
    largest = statistics.largestMagnitudes
    matrices = pair.consumers.map { ($0.name, $0.weight.dense) }
    outputs = matrices.map { matrixProduct(samples, $0.elements, secondTransposed: true) }
    inputs = pair.maxima(ofColumns: statistics.largestMagnitudes.map(Double.init))
    weights = pair.maxima(ofColumns: Self.columnMaxima(matrices.map(\.elements)))
  }

  /// Rounds weights to 8 bits with a scale per row, and inputs with a scale per token.
  ///
  /// - Parameter scales: One for each channel.
  /// - Returns: The error of each reader's outputs.
  /// - Throws: ``QuantizeError`` if a weight is not finite.
  /// - Complexity: `2 · 256 · outputs · inputs` operations.
  func errors(_ scales: [Float]) throws(QuantizeError) -> [OutputError] {
    let columns = Tensor(pair.columnScales(scales))
    let rounded = (samples / columns).roundedToEightBits()
    let grid = Grid(bits: 8, groupSize: .channel, scaleType: .float32)
    var result: [OutputError] = []
    for ((name, elements), expected) in zip(matrices, outputs) {
      let weight = try roundToNearest(StoredMatrix(elements * columns), grid: grid, layer: name)
      let actual = matrixProduct(rounded, weight.weight.dense, secondTransposed: true)
      result.append(
        OutputError(
          squaredError: (actual - expected).sumOfSquares(),
          squaredNorm: expected.sumOfSquares()
        )
      )
    }
    return result
  }

  /// Returns the scales of one `α`.
  func scales(alpha: Double) -> [Float] {
    pair.attainable(smoothingScales(inputs: inputs, weights: weights, alpha: alpha))
  }

  /// Of scales by exponents `α` in steps of 0.05, and of scales that minimize the error by
  /// themselves, those with the least sum of the readers' relative errors, the first of several.
  ///
  /// - Returns: The scales, and `α` unless they are by themselves.
  /// - Throws: ``QuantizeError`` if a weight is not finite.
  func bestScales() throws(QuantizeError) -> (scales: [Float], alpha: Double?) {
    // What is taken if no error is a number, as where outputs overflow.
    var best = (scales: scales(alpha: 0.5), alpha: Double?.some(0.5), error: Double.infinity)
    for alpha in (0...20).map({ Double($0) / 20 }) + [nil] {
      let scales = alpha.map(scales(alpha:)) ?? pair.attainable(program.minimum())
      let error = try errors(scales).reduce(0) { $0 + $1.relative }
      if error < best.error { best = (scales, alpha, error) }
    }
    return (best.scales, best.alpha)
  }

  /// The expected error of the readers, by scales.
  var program: ScaleProgram {
    ScaleProgram(
      samples: samples,
      largest: largest,
      matrices: matrices.map(\.elements),
      outputNorms: outputs.map { $0.sumOfSquares() },
      scaleOfColumn: pair.scaleOfColumn,
      scaleCount: pair.scaleCount
    )
  }

  private static func columnMaxima(_ matrices: [Tensor]) -> [Double] {
    let columns = matrices[0].shape.columns
    var maxima = Array(repeating: Float(0), count: columns)
    for matrix in matrices {
      matrix.withElements(as: Float.self) { elements in
        for start in stride(from: 0, to: elements.count, by: columns) {
          for column in 0..<columns {
            maxima[column] = max(maxima[column], abs(elements[start + column]))
          }
        }
      }
    }
    return maxima.map(Double.init)
  }
}
