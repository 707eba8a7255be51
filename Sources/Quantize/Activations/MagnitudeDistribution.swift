internal import Calibrate
internal import Foundation

/// The magnitudes of a layer's inputs, as counts of bins.
package struct MagnitudeDistribution {
  /// A bin that is not empty; values are taken as spread evenly over it.
  private struct Bin {
    var low: Double
    var high: Double
    var count: Double
  }

  /// The largest code.
  private static let levels = 127.0

  private let bins: [Bin]
  private let total: Double
  private let largest: Double

  /// Takes the counts of a histogram.
  ///
  /// - Parameters:
  ///   - counts: The counts of the bins of `MagnitudeHistogram`.
  ///   - largest: The largest magnitude counted.
  package init(counts: [Int64], largest: Float) {
    let end = Double(largest)
    bins = counts.indices.filter { counts[$0] > 0 }.map { bin in
      let low = Double(MagnitudeHistogram.lowerBound(of: bin))
      let high = Double(MagnitudeHistogram.lowerBound(of: bin + 1))
      return Bin(low: low, high: max(low, min(high, end)), count: Double(counts[bin]))
    }
    total = bins.reduce(0) { $0 + $1.count }
    self.largest = end
  }

  /// The scale of codes −127…127 that an observer chooses; 1 if every value is 0.
  package func scale(_ observer: InputObserver, percentile: Double) -> Float {
    guard largest > 0 else { return 1 }
    let range =
      switch observer {
      case .maximum: largest
      case .percentile: self.percentile(percentile / 100)
      case .meanSquaredError: leastError()
      case .entropy: leastDivergence()
      }
    // Below the least normal number a scale would lose its digits.
    return max(Float(range / Self.levels), .leastNormalMagnitude)
  }

  /// The least end of a bin that a share of all values does not exceed.
  private func percentile(_ share: Double) -> Double {
    var reached = 0.0
    for bin in bins {
      reached += bin.count
      if reached >= share * total && bin.high > 0 { return bin.high }
    }
    return largest
  }

  // MARK: - Squared error

  /// `Σ (x − s · q)²` over `Σ x²` for a scale `s` and `q = clamp(round(x / s), −127 … 127)`.
  package func relativeSquaredError(scale: Float) -> Double {
    let squares = bins.reduce(0) { sum, bin in
      sum + bin.count * (bin.low * bin.low + bin.low * bin.high + bin.high * bin.high) / 3
    }
    return squares > 0 ? squaredError(Double(scale)) / squares : 0
  }

  /// The share of values further than half a step beyond the largest code.
  package func clippedFraction(scale: Float) -> Double {
    let end = Double(scale) * (Self.levels + 0.5)
    let beyond = bins.reduce(0) { sum, bin in
      guard bin.high > bin.low else { return sum + (bin.low > end ? bin.count : 0) }
      return sum + bin.count * min(1, max(0, (bin.high - end) / (bin.high - bin.low)))
    }
    return total > 0 ? beyond / total : 0
  }

  /// The sum of squared errors.
  ///
  /// Over a bin the integral of the squared distance to the nearest
  /// multiple of the scale, or to the largest one, is known in closed form.
  private func squaredError(_ scale: Double) -> Double {
    let end = Self.levels * scale
    // The integral from 0 to x.
    func integral(_ x: Double) -> Double {
      let inside = min(x, end)
      let nearest = (inside / scale).rounded()
      let offset = inside - nearest * scale
      let rounding = nearest * scale * scale * scale / 12 + offset * offset * offset / 3
      let beyond = max(0, x - end)
      return rounding + beyond * beyond * beyond / 3
    }
    return bins.reduce(0) { sum, bin in
      let width = bin.high - bin.low
      // Differences of integrals over narrow bins would lose their digits.
      guard width > 1e-6 * bin.high else {
        let code = min(Self.levels, (bin.low / scale).rounded())
        return sum + bin.count * (bin.low - code * scale) * (bin.low - code * scale)
      }
      return sum + bin.count * (integral(bin.high) - integral(bin.low)) / width
    }
  }

  /// The range with the least squared error: ends of bins down to a thousandth of the largest
  /// magnitude are tried.
  private func leastError() -> Double {
    var best = (range: largest, error: squaredError(largest / Self.levels))
    var range = largest
    // As fine as the bins are.
    while range > largest / 1024 {
      range *= 1 - 1.0 / 64
      let error = squaredError(range / Self.levels)
      if error < best.error { best = (range, error) }
    }
    return best.range
  }

  // MARK: - Divergence

  /// The range for which the histogram of rounded values diverges least from that of the values.
  private func leastDivergence() -> Double {
    let (count, levels) = (2048, 128)
    let width = largest / Double(count)
    let histogram = linearHistogram(count: count, width: width)
    var tails = [Double](repeating: 0, count: count + 1)
    for index in (0..<count).reversed() { tails[index] = tails[index + 1] + histogram[index] }
    var best = (bins: count, divergence: Double.infinity)
    for kept in stride(from: levels, through: count, by: 8) {
      let divergence = divergence(histogram, kept: kept, beyond: tails[kept], levels: levels)
      if divergence < best.divergence { best = (kept, divergence) }
    }
    return Double(best.bins) * width
  }

  /// The counts of bins of equal width, each bin's values spread evenly.
  private func linearHistogram(count: Int, width: Double) -> [Double] {
    var histogram = [Double](repeating: 0, count: count)
    for bin in bins {
      let first = min(count - 1, Int(bin.low / width))
      let last = min(count - 1, Int(bin.high / width))
      guard last > first else {
        histogram[first] += bin.count
        continue
      }
      for index in first...last {
        let low = max(bin.low, Double(index) * width)
        let high = index == last ? bin.high : min(bin.high, Double(index + 1) * width)
        histogram[index] += bin.count * max(0, high - low) / (bin.high - bin.low)
      }
    }
    return histogram
  }

  /// The divergence of the first bins, values beyond them counted in the last, from the same bins
  /// merged to levels and spread again over those that are not empty.
  private func divergence(
    _ histogram: [Double],
    kept: Int,
    beyond: Double,
    levels: Int
  ) -> Double {
    let inside = histogram[..<kept].reduce(0, +)
    guard inside > 0 else { return .infinity }
    var result = 0.0
    for level in 0..<levels {
      let range = level * kept / levels..<(level + 1) * kept / levels
      var (sum, filled) = (0.0, 0.0)
      for index in range {
        sum += histogram[index]
        let isFilled = histogram[index] > 0 || (index == kept - 1 && beyond > 0)
        if isFilled { filled += 1 }
      }
      for index in range {
        let p = (histogram[index] + (index == kept - 1 ? beyond : 0)) / (inside + beyond)
        guard p > 0 else { continue }
        let q = sum / filled / inside
        guard q > 0 else { return .infinity }
        result += p * log(p / q)
      }
    }
    return result
  }
}
