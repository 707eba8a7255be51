internal import Synchronization

/// Where the time of a computation goes, by operation, for benchmarks.
///
/// Off unless asked for. Backward rules are measured by the name of their operation, matrix
/// products and attention wherever they are called. Times are exclusive: what a product inside of
/// a backward rule takes counts for the product alone.
package enum OperationClock {
  private struct State: Sendable {
    var open: [(name: String, since: ContinuousClock.Instant)] = []
    var times: [String: Duration] = [:]

    /// Gives the time since the last change to the operation that was running.
    mutating func charge(until now: ContinuousClock.Instant) {
      guard let running = open.last else { return }
      times[running.name, default: .zero] += now - running.since
    }
  }
  private static let state = Mutex(State())
  private static let isRunning = Atomic(false)

  /// Runs `body` and returns the time spent in each kind of operation.
  ///
  /// - Precondition: One thread computes at a time.
  package static func measureAll(_ body: () throws -> Void) rethrows -> [String: Duration] {
    state.withLock { $0 = State() }
    isRunning.store(true, ordering: .relaxed)
    defer { isRunning.store(false, ordering: .relaxed) }
    try body()
    return state.withLock { $0.times }
  }

  /// Counts the time of `body`.
  package static func measure<Result>(
    _ operation: StaticString,
    _ body: () throws -> Result
  ) rethrows -> Result {
    guard isRunning.load(ordering: .relaxed) else { return try body() }
    begin("\(operation)")
    defer { end() }
    return try body()
  }

  private static func begin(_ name: String) {
    let now = ContinuousClock.now
    state.withLock {
      $0.charge(until: now)
      $0.open.append((name, now))
    }
  }

  private static func end() {
    let now = ContinuousClock.now
    state.withLock {
      $0.charge(until: now)
      $0.open.removeLast()
      if let last = $0.open.indices.last { $0.open[last].since = now }
    }
  }
}
