public import Tensor

/// What is known of the inputs of linear layers that share one.
public struct InputStatistics: Sendable {
  /// What is collected.
  public struct Selection: OptionSet, Sendable {
    /// The bits of the set.
    public let rawValue: Int
    /// Creates a set from its bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The Gram matrix, and with it the sums of squares.
    public static let gram = Selection(rawValue: 1)
    /// Sums of squares.
    public static let squares = Selection(rawValue: 2)
    /// Sums of magnitudes and the largest magnitudes.
    public static let magnitudes = Selection(rawValue: 4)
    /// The histogram of magnitudes.
    public static let histogram = Selection(rawValue: 8)
    /// Some of the inputs themselves.
    public static let samples = Selection(rawValue: 16)
    /// All of these over inputs that count by what they change, not by their length.
    ///
    /// Inputs of the output and down projections are divided by the root mean square of the residual
    /// stream after the layer: the first token of a text may have inputs a thousand times as long
    /// as others, and outputs that the next normalization divides again. Only of
    /// ``BlockWalk/observeBlock(collecting:advancing:)``.
    public static let balanced = Selection(rawValue: 32)
  }

  /// How many inputs were seen: tokens.
  public let rowCount: Int
  /// `Σ x · xᵀ` over all inputs, `[D, D]`, `float64`; nil if not collected.
  public let gram: Tensor?
  /// `Σ x²` of each channel, `[D]`; empty if not collected.
  public let sumsOfSquares: [Double]
  /// `Σ |x|` of each channel, `[D]`; empty if not collected.
  public let sumsOfMagnitudes: [Double]
  /// The largest `|x|` of each channel, `[D]`; empty if not collected.
  public let largestMagnitudes: [Float]
  /// How often magnitudes fall into the bins of ``MagnitudeHistogram``; nil if not collected.
  public let histogram: MagnitudeHistogram?
  /// Inputs at even distances, at most ``sampleLimit``, `[samples, D]`, float32; nil if not
  /// collected.
  public let samples: Tensor?

  /// How many samples there are at most.
  public static let sampleLimit = 256

  /// Whether every number that was seen is finite.
  public var isFinite: Bool {
    sumsOfSquares.allSatisfy(\.isFinite) && sumsOfMagnitudes.allSatisfy(\.isFinite)
  }
}

extension InputStatistics {
  /// Collects of inputs, `[n, D]`, float32.
  package init(of inputs: Tensor, collecting selection: Selection) {
    var collector = StatisticsCollector(
      width: inputs.shape.columns,
      selection,
      rowCount: inputs.shape.rows
    )
    collector.add(inputs)
    self = collector.finish()
  }
}

/// Counts of magnitudes in bins of equal relative width, 32 for each power of two, so that no range
/// has to be known before the first value is seen.
public struct MagnitudeHistogram: Sendable {
  /// The count of each bin.
  public internal(set) var counts: [Int64]

  /// The least magnitude of a bin.
  public static func lowerBound(of bin: Int) -> Float { Float(bitPattern: UInt32(bin) << 18) }

  /// The number of values counted.
  public var total: Int64 { counts.reduce(0, +) }
}

extension Tensor {
  /// Inputs of a layer, each divided by the root mean square of the residual stream that the layer's
  /// output is added to, as the next normalization divides the output.
  func balanced(by stream: Tensor) -> Tensor {
    let columns = stream.shape.columns
    let rows = stream.count / columns
    let squares = (stream * stream).reshaped([rows, columns]).rowSums().elements(as: Float.self)
    let factors = squares.map { $0 > 0 ? (Float(columns) / $0).squareRoot() : 0 }
    return reshaped([rows, count / rows]) * Tensor(factors, shape: [rows, 1])
  }
}
