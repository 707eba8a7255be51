internal import Pipeline

/// How fast a measurement goes, and how long the rest will take at that rate.
///
/// ```swift
/// var rate = ProgressRate(total: 20_480)
/// rate.update(done: 512)
/// print(rate)    // 1204 tokens/s, 16 s left
/// ```
public struct ProgressRate: Sendable, CustomStringConvertible {
  private let total: Int
  private let start: ContinuousClock.Instant
  private var done = 0
  private var elapsed = Duration.zero

  /// Starts the clock.
  public init(total: Int) {
    self.total = total
    self.start = .now
  }

  /// Notes how many units are done.
  public mutating func update(done: Int) {
    self.done = done
    elapsed = ContinuousClock.now - start
  }

  /// The time from the start to the last update, in seconds.
  public var seconds: Double {
    Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
  }

  /// Units per second so far; 0 before the first update.
  public var perSecond: Double { seconds > 0 ? Double(done) / seconds : 0 }

  /// Seconds to the end at this rate; nil before the first update.
  public var secondsLeft: Double? {
    perSecond > 0 ? Double(max(0, total - done)) / perSecond : nil
  }

  /// Rate and time left, such as `1204 tokens/s, 16 s left`.
  public var description: String {
    guard let secondsLeft else { return "" }
    return "\(Int(perSecond.rounded())) tokens/s, \(Wording.seconds(secondsLeft)) left"
  }
}
