/// A text's tokens cut into windows of one length, side by side and without overlap.
///
///     tokens    0 1 2 3 4 5 6 7 8 9
///     length 4  [0 1 2 3][4 5 6 7]  8 9 dropped
///
/// A window at the end that is not full is dropped, so that every window weighs the same.
public struct TokenWindows: Sendable, Hashable {
  /// The tokens of all windows in the order of the text.
  public let tokens: [Int32]
  /// The number of tokens in a window.
  public let length: Int
  /// How many tokens at the end did not fill a window.
  public let droppedCount: Int

  /// Cuts tokens into windows.
  ///
  /// - Parameters:
  ///   - tokens: The text's token ids.
  ///   - length: The number of tokens in a window, from 1.
  ///   - limit: How many tokens are used at most; nil for all.
  ///   - source: What to call the text in an error.
  /// - Throws: ``DatasetError`` with both counts if there is not one full window.
  public init(
    _ tokens: [Int32],
    length: Int,
    limit: Int? = nil,
    source: String
  ) throws(DatasetError) {
    let used = min(tokens.count, max(0, limit ?? tokens.count))
    guard length >= 1, used >= length else {
      let limited = used < tokens.count ? ", limited to \(used)," : ""
      throw DatasetError(
        .tooShort,
        "\(tokens.count) tokens\(limited) do not fill one window of \(length)",
        at: source,
        remedy: "use a longer text, more tokens or shorter windows"
      )
    }
    self.length = length
    self.droppedCount = used % length
    self.tokens = Array(tokens[..<(used - droppedCount)])
  }

  /// The number of windows.
  public var count: Int { tokens.count / length }

  /// The tokens of one window.
  ///
  /// - Precondition: `index` is in `0..<count`.
  public subscript(index: Int) -> [Int32] { Array(tokens[index * length..<(index + 1) * length]) }

  /// Returns windows drawn at random, each at most once, in the order of the text.
  ///
  /// - Parameters:
  ///   - count: How many; all windows if there are fewer.
  ///   - generator: Decides which.
  /// - Returns: The windows' tokens.
  public func sample(
    _ count: Int,
    using generator: inout some RandomNumberGenerator
  ) -> [[Int32]] {
    let chosen = (0..<self.count).shuffled(using: &generator).prefix(max(0, count)).sorted()
    return chosen.map { self[$0] }
  }
}
