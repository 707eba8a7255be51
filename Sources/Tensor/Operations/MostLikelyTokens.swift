internal import CKernels

/// The tokens that a teacher finds most likely after each of `M` rows, with their probabilities.
///
/// The probability of all other tokens together is known, so that a divergence over these tokens
/// and one outcome more, “another token”, needs no further logits.
public struct MostLikelyTokens: Sendable {
  /// The most tokens a row may have.
  public static let largestCount = Int(SLM_MOST_LARGEST)

  /// How many tokens each row has, `k`.
  public let count: Int
  /// The number of rows, `M`.
  public let rows: Int
  /// The tokens, different ones in a row, `[M · k]`.
  public let tokens: [Int32]
  /// Their probabilities, `[M · k]`.
  public let probabilities: [Float]
  /// The probability of all others, `[M]`.
  public let rest: [Float]

  /// Creates a reference.
  ///
  /// - Precondition: `k` is in `1...largestCount`, and `k` and the number of rows fit the arrays.
  ///   A row's probabilities with the rest add up to 1.
  public init(count: Int, tokens: [Int32], probabilities: [Float], rest: [Float]) {
    require(
      (1...Self.largestCount).contains(count) && tokens.count == count * rest.count
        && probabilities.count == tokens.count,
      "most likely tokens: \(count) a row, \(tokens.count) tokens, \(rest.count) rows"
    )
    (self.count, self.rows) = (count, rest.count)
    (self.tokens, self.probabilities, self.rest) = (tokens, probabilities, rest)
  }

  /// Finds the most likely tokens of rows of logits.
  ///
  /// - Parameters:
  ///   - logits: `[..., V]`, `float32`.
  ///   - count: How many tokens, `k`.
  ///   - vocabulary: Only this many first tokens count; all if nil.
  ///   - temperature: `T`, above 0: the probabilities are `softmax(logits / T)`.
  /// - Precondition: `k` is in `1...largestCount` and at most the vocabulary.
  /// - Complexity: Two passes over the logits.
  public init(
    of logits: Tensor,
    count: Int,
    vocabulary: Int? = nil,
    temperature: Double = 1
  ) {
    let (rows, columns) = (logits.shape.rows, logits.shape.columns)
    let width = vocabulary ?? columns
    require(
      logits.dtype == .float32 && width <= columns && temperature > 0
        && (1...min(width, Self.largestCount)).contains(count),
      "most likely tokens: \(count) of \(width) in \(logits.shape) of \(logits.dtype)"
    )
    let ids = Tensor(uninitialized: [rows, count], dtype: .int32)
    let shares = Tensor(uninitialized: [rows, count], dtype: .float32)
    let others = Tensor(uninitialized: [rows], dtype: .float32)
    let source = logits.detached
    withKernel(rows, grain: rowGrain(4 * width), keeping: [source, ids, shares, others]) { range in
      let first = range.lowerBound
      slm_most_likely(
        source.floats(first * columns),
        Int64(range.count),
        Int64(width),
        Int64(columns),
        temperature,
        Int64(count),
        ids.unsafeBase.assumingMemoryBound(to: Int32.self) + first * count,
        shares.floats(first * count),
        others.floats(first)
      )
    }
    self.init(
      count: count,
      tokens: ids.elements(as: Int32.self),
      probabilities: shares.elements(as: Float.self),
      rest: others.elements(as: Float.self)
    )
  }
}
