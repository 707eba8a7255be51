internal import Calibrate
internal import Foundation
internal import Models
public import Pipeline
internal import Tensor

/// What the candidates for scales are made from.
public enum ScaleSource: String, RecipeChoice {
  case inputs
  case inputsAndWeights = "inputs_and_weights"
  case both

  /// What the choice means.
  public var summary: String {
    switch self {
    case .inputs: "powers of the inputs' mean magnitudes; the power 0 leaves all as it is"
    case .inputsAndWeights:
      "these powers, divided by the remaining power of the weights' mean magnitudes relative to the "
        + "largest of their group"
    case .both: "both; takes twice the time"
    }
  }
}

/// The scales that were found for a pair, and the layers rounded with them.
struct AWQScales {
  /// A layer that reads the channels.
  struct Layer {
    let linear: Linear
    /// The scaled weight on the grid.
    let weight: GroupQuantizedWeight
    /// The outputs' error when rounded to the nearest without scales.
    let nearest: OutputError
    /// The outputs' error of `weight`.
    let scaled: OutputError
  }

  /// One for each channel.
  let scales: [Float]
  /// The power of the inputs' magnitudes.
  let power: Double
  /// Whether the weights' magnitudes play a part.
  let usesWeights: Bool
  let layers: [Layer]
  /// The sum of the layers' squared errors for every candidate, in the order tried: without scales
  /// first, then powers of the inputs, then with the weights.
  let candidates: [Double]
}

/// Searches the scales of a pair by which its readers' outputs move least when the readers are
/// rounded to a grid.
///
/// Candidates are `s = m^r`, or `s = m^r / w^(1−r)`, for `r` from 0 in even steps below 1, divided
/// by the root of the product of the largest and the least of them. Here `m` is the mean magnitude
/// of an input, and `w` that of the weights of its column as shares of the largest of their group.
/// The error of a candidate is exact over all inputs: with `D = W − Q(W·s)/s` it is `tr(D G Dᵀ)`
/// for the inputs' Gram matrix `G`. A search for a group's grid weighs squared errors by the mean
/// squares of the scaled inputs, which takes the place of a search for clipping.
///
/// - Parameters:
///   - pair: Where the scales go.
///   - linears: The readers that are to be rounded; others are scaled too, but do not count.
///   - statistics: The inputs' Gram matrix and magnitudes.
///   - grid: The grid.
///   - source: What candidates are made from; nil to try no scales.
///   - steps: The number of powers.
/// - Returns: The scales with the least error, all 1 if no candidate is better than that.
/// - Throws: ``QuantizeError`` if a weight or scale is not finite.
/// - Complexity: For each candidate `2 · outputs · inputs²` operations and a rounding; memory for
///   three copies of the readers in float32.
///
/// Source: Lin et al., *AWQ: Activation-aware Weight Quantization for LLM Compression and
/// Acceleration*, 2023, arXiv:2306.00978, and the implementations llm-awq, AutoAWQ and
/// llm-compressor for the second kind of candidates. Deviations: errors are those of the readers'
/// own outputs rather than of attention or the feed-forward layer as a whole; inputs come from the
/// quantized blocks before; the value projection is scaled with grouped key heads too; magnitudes
/// are at least 1/10000 of the largest; weighted scales instead of clipping.
func awqScales(
  _ pair: ScalingPair,
  _ linears: [Linear],
  _ statistics: InputStatistics,
  grid: Grid,
  source: ScaleSource?,
  steps: Int
) throws(QuantizeError) -> AWQScales {
  let problem = AWQProblem(pair, linears, statistics, grid)
  let none = Array(repeating: Float(1), count: pair.scaleCount)
  var best = (power: 0.0, usesWeights: false, scales: none)
  var kept = try problem.rounded(none, weighted: true)
  let plain = try problem.rounded(none, weighted: false)
  var candidates = [kept.error]
  func tryScales(_ wanted: [Double], _ power: Double, _ usesWeights: Bool) throws(QuantizeError) {
    let scales = pair.attainable(balanced(wanted))
    let rounded = try problem.rounded(scales, weighted: true)
    candidates.append(rounded.error)
    if rounded.error < kept.error {
      kept = rounded
      best = (power, usesWeights, scales)
    }
  }
  let powers = (0..<steps).map { Double($0) / Double(steps) }
  let inputs = floored(pair.means(ofColumns: statistics.sumsOfMagnitudes))
  if source == .inputs || source == .both {
    for power in powers where power > 0 {
      try tryScales(inputs.map { pow($0, power) }, power, false)
    }
  }
  if source == .inputsAndWeights || source == .both {
    let weights = floored(
      pair.means(ofColumns: relativeMagnitudes(pair.consumers, span: grid.groupSize.count))
    )
    for power in powers {
      let scales = zip(inputs, weights).map { pow($0, power) / pow($1, 1 - power) }
      try tryScales(scales, power, true)
    }
  }
  return AWQScales(
    scales: best.scales,
    power: best.power,
    usesWeights: best.usesWeights,
    layers: linears.indices.map { index in
      let norm = problem.squaredNorms[index]
      return AWQScales.Layer(
        linear: linears[index],
        weight: kept.weights[index],
        nearest: OutputError(squaredError: plain.errors[index], squaredNorm: norm),
        scaled: OutputError(squaredError: kept.errors[index], squaredNorm: norm)
      )
    },
    candidates: candidates
  )
}

/// The readers and their inputs, made ready for trying scales.
private struct AWQProblem {
  let pair: ScalingPair
  let linears: [Linear]
  let grid: Grid
  /// The readers' weights, float32.
  let weights: [Tensor]
  /// The mean of `x · xᵀ`, float32: differences between candidates are far above its rounding.
  let gram: Tensor
  /// The mean of `x²` of each column.
  let squares: [Double]
  /// The mean of each reader's squared outputs.
  let squaredNorms: [Double]

  init(_ pair: ScalingPair, _ linears: [Linear], _ statistics: InputStatistics, _ grid: Grid) {
    guard let sums = statistics.gram else { fail("awq: the Gram matrix was not collected") }
    self.pair = pair
    self.linears = linears
    self.grid = grid
    let count = Double(max(1, statistics.rowCount))
    let gram = sums.scaled(by: 1 / count).converted(to: .float32)
    self.gram = gram
    squares = statistics.sumsOfSquares.map { $0 / count }
    weights = linears.map(\.weight.dense)
    squaredNorms = weights.map { matrixProduct($0, gram).dot($0) }
  }

  /// The readers rounded with some scales.
  struct Rounded {
    var weights: [GroupQuantizedWeight] = []
    /// The mean of each reader's squared error.
    var errors: [Double] = []
    var error: Double { errors.reduce(0, +) }
  }

  /// Rounds the readers with some scales.
  ///
  /// - Parameters:
  ///   - scales: One for each channel.
  ///   - weighted: Whether a search for a grid knows the inputs.
  /// - Returns: The weights on the grid, and what they cost.
  /// - Throws: ``QuantizeError`` if a weight or scale is not finite.
  func rounded(_ scales: [Float], weighted: Bool) throws(QuantizeError) -> Rounded {
    let columns = pair.columnScales(scales)
    let factors = Tensor(columns)
    let importance = zip(squares, columns).map { Float($0 / (Double($1) * Double($1))) }
    var result = Rounded()
    for (linear, elements) in zip(linears, weights) {
      let weight = try roundToNearest(
        StoredMatrix(elements * factors),
        grid: grid,
        importance: weighted ? importance : nil,
        layer: linear.name
      ).weight
      let difference = elements - weight.dense / factors
      result.errors.append(max(0, matrixProduct(difference, gram).dot(difference)))
      result.weights.append(weight)
    }
    return result
  }
}

/// Scales of which the largest and the least are as far above 1 as below.
func balanced(_ scales: [Double]) -> [Float] {
  let middle = ((scales.max() ?? 1) * (scales.min() ?? 1)).squareRoot()
  return scales.map { Float($0 / middle) }
}

/// Magnitudes of which none is less than a small share of the largest, as a share of that; 1 if all
/// are zero.
private func floored(_ magnitudes: [Double]) -> [Double] {
  let largest = magnitudes.max() ?? 0
  guard largest > 0 else { return magnitudes.map { _ in 1 } }
  return magnitudes.map { max($0 / largest, 1e-4) }
}

/// The mean over all rows of some matrices of `|w|` of each column as a share of the largest of its
/// group.
private func relativeMagnitudes(_ linears: [Linear], span: Int?) -> [Double] {
  let columns = linears[0].columns
  let span = span ?? columns
  var sums = Array(repeating: 0.0, count: columns)
  for linear in linears {
    linear.weight.dense.withElements(as: Float.self) { elements in
      for start in stride(from: 0, to: elements.count, by: span) {
        let group = elements[start..<start + span]
        let largest = group.reduce(0) { max($0, abs($1)) }
        guard largest > 0 else { continue }
        let column = start % columns
        for index in 0..<span {
          sums[column + index] += Double(abs(group[start + index]) / largest)
        }
      }
    }
  }
  let rows = linears.reduce(0) { $0 + $1.rows }
  return sums.map { $0 / Double(rows) }
}
