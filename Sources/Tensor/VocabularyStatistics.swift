internal import CKernels
internal import Foundation

/// What a row of logits says, gathered from slices of the vocabulary.
///
/// Perplexity, the divergence from a reference model and the agreement of their first choices need
/// no more than a few running numbers a row, so the logits `[T, V]` never exist as a whole.
///
/// ```swift
/// var statistics = VocabularyStatistics(targets: targets)       // T rows
/// for slice in slices {
///   statistics.add(hidden.multiplied(by: head.rows(slice)), at: slice.lowerBound)
/// }
/// let losses = statistics.losses()
/// ```
public struct VocabularyStatistics: Sendable {
  private var running: [slm_running]
  private let targets: [Int32]

  /// Starts with no logits seen.
  ///
  /// - Parameter targets: The token that follows each row, `[T]`; negative for none.
  public init(targets: [Int32]) {
    self.targets = targets
    running = Array(repeating: slm_running(), count: targets.count)
    running.withUnsafeMutableBufferPointer {
      slm_running_start($0.baseAddress, Int64($0.count))
    }
  }

  /// Takes in the logits of part of the vocabulary.
  ///
  /// - Parameters:
  ///   - logits: `[..., n]` with `T` rows, `float32`.
  ///   - column: The token of the first column.
  ///   - reference: The reference model's logits of the same tokens; in every slice or in none.
  public mutating func add(_ logits: Tensor, at column: Int, reference: Tensor? = nil) {
    require(
      logits.dtype == .float32 && logits.shape.rows == targets.count,
      "vocabulary statistics: \(logits.shape) of \(logits.dtype) for \(targets.count) rows"
    )
    if let reference { logits.requirePartner("vocabulary statistics", reference, logits.shape) }
    let columns = logits.shape.columns
    guard columns > 0 else { return }
    let targets = targets
    running.withUnsafeMutableBufferPointer { running in
      let rows = Shared(running)
      withKernel(running.count, grain: rowGrain(4 * columns), keeping: [logits, reference]) {
        range in
        let first = range.lowerBound
        targets.withUnsafeBufferPointer { targets in
          guard let base = rows.pointer.baseAddress, let target = targets.baseAddress else {
            return
          }
          slm_running_add(
            base + first,
            Int64(range.count),
            Int64(columns),
            Int64(column),
            Int64(columns),
            logits.floats(first * columns),
            reference?.floats(first * columns),
            target + first
          )
        }
      }
    }
  }

  /// Returns `−log p(target)` of each row in nats; NaN for rows without a target.
  public func losses() -> [Double] {
    running.map { $0.largest + log($0.sum) - $0.target }
  }

  /// Returns the logarithm of the sum of the exponentials of each row's logits.
  public func logSums() -> [Double] { running.map { $0.largest + log($0.sum) } }

  /// Returns the reference's `−log p(target)` of each row in nats.
  public func referenceLosses() -> [Double] {
    running.map { $0.reference_largest + log($0.reference_sum) - $0.reference_target }
  }

  /// Returns the Kullback–Leibler divergence `Σ p · log(p / q)` of each row in nats, `p` being the
  /// reference's probabilities; NaN without a reference.
  public func divergences() -> [Double] {
    running.map {
      $0.difference / $0.reference_sum - ($0.reference_largest + log($0.reference_sum))
        + ($0.largest + log($0.sum))
    }
  }

  /// Returns the most likely token of each row, the first of several.
  public func choices() -> [Int32] { running.map { Int32($0.first) } }

  /// Returns the reference's most likely token of each row, −1 without a reference.
  public func referenceChoices() -> [Int32] { running.map { Int32($0.reference_first) } }
}
