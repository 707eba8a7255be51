internal import Foundation

/// The times of repeated runs of the same work, in seconds.
struct Measurement {
  let seconds: [Double]

  /// Runs `work` once unmeasured, then `count` times.
  init(repeating count: Int, _ work: () throws -> Void) rethrows {
    try work()
    let clock = ContinuousClock()
    var seconds: [Double] = []
    for _ in 0..<count {
      let duration = try clock.measure(work)
      let (whole, attoseconds) = duration.components
      seconds.append(Double(whole) + Double(attoseconds) * 1e-18)
    }
    self.seconds = seconds.sorted()
  }

  /// The shortest time.
  var best: Double { seconds[0] }

  /// The middle time.
  var median: Double { seconds[seconds.count / 2] }
}

/// Prints named numbers as aligned lines or as one JSON object.
func report(_ title: String, _ numbers: [(name: String, value: Double)], json: Bool) throws {
  if json {
    let object = Dictionary(uniqueKeysWithValues: numbers.map { ($0.name, $0.value) })
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
    return
  }
  print(title)
  let width = numbers.map(\.name.count).max() ?? 0
  for (name, value) in numbers {
    let label = name.replacingOccurrences(of: "_", with: " ")
    print("  \(label.padding(toLength: width, withPad: " ", startingAt: 0))  \(shortened(value))")
  }
}

private func shortened(_ value: Double) -> String {
  String(format: abs(value) >= 100 ? "%.0f" : abs(value) >= 1 ? "%.2f" : "%.4f", value)
}
