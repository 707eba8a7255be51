internal import Foundation

/// Mean, standard error and quantiles of one number per counted token.
///
/// Values are added window by window, because the tokens of a window share their context: where
/// the unit is the window, the standard error is that of the windows' means.
struct SampleStatistics: Sendable {
  /// What is taken as an independent observation.
  enum Unit: Sendable {
    /// Every counted token.
    case token
    /// The mean over a window's counted tokens.
    case window
  }

  let unit: Unit
  private(set) var values: [Double] = []
  private(set) var windowMeans: [Double] = []

  init(unit: Unit) { self.unit = unit }

  /// Adds the values of a window.
  mutating func add(_ window: some Collection<Double>) {
    guard !window.isEmpty else { return }
    values += window
    windowMeans.append(window.reduce(0, +) / Double(window.count))
  }

  /// The mean over all values; 0 if there are none.
  var mean: Double { Self.mean(values) }

  /// The standard error of the mean, `s / √n` with `s² = Σ (x − x̄)² / (n − 1)` over the `n`
  /// observations of the unit; nil for fewer than two.
  var standardError: Double? {
    let observations = unit == .token ? values : windowMeans
    guard observations.count > 1 else { return nil }
    let mean = Self.mean(observations)
    let squares = observations.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let count = Double(observations.count)
    return (squares / (count - 1) / count).squareRoot()
  }

  /// The value below which a fraction of all values lies, interpolated linearly between
  /// neighbours at position `fraction · (n − 1)`; 0 if there are none.
  func quantile(_ fraction: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let position = fraction * Double(sorted.count - 1)
    let lower = Int(position)
    let upper = min(lower + 1, sorted.count - 1)
    let part = position - Double(lower)
    return sorted[lower] * (1 - part) + sorted[upper] * part
  }

  private static func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }
}
