import Pipeline

/// How fast work goes and when it will be done, from the last half minute.
struct ProgressEstimate {
  private var samples: [(time: ContinuousClock.Instant, done: Int)] = []

  /// Notes how much is done.
  mutating func add(done: Int, at time: ContinuousClock.Instant) {
    if let last = samples.last, done < last.done { samples = [] }
    // Two samples a second are enough for a rate over half a minute.
    if let last = samples.last, time - last.time < .milliseconds(500), samples.count > 1 {
      samples[samples.count - 1] = (time, done)
    } else {
      samples.append((time, done))
    }
    while samples.count > 2, time - samples[0].time > .seconds(30) { samples.removeFirst() }
  }

  /// Units per second, or nil until there is something to tell it from.
  private var rate: Double? {
    guard let first = samples.first, let last = samples.last, last.done > first.done else {
      return nil
    }
    let elapsed = (last.time - first.time).seconds
    return elapsed > 0.2 ? Double(last.done - first.done) / elapsed : nil
  }

  /// A bar, how much is done, how fast it goes, the time left, and what is being done.
  func text(_ progress: RunProgress, at time: ContinuousClock.Instant) -> String {
    let fraction =
      progress.total > 0 ? min(1, max(0, Double(progress.done) / Double(progress.total))) : 0
    let filled = Int((fraction * 16).rounded(.down))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 16 - filled)
    var text = "\(bar) \(progress.done)/\(progress.total) \(progress.unit)"
    if let rate {
      text += "  \(Wording.number(rate, digits: 3))/s"
      let left = Double(max(0, progress.total - progress.done)) / rate
      if left > 0 { text += "  \(Wording.seconds(left.rounded(.up))) left" }
    }
    return progress.message.isEmpty ? text : text + "  \(progress.message)"
  }
}

extension Duration {
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
