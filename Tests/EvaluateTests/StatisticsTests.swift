import Foundation
import Testing

@testable import Evaluate

@Suite("Statistics")
struct StatisticsTests {
  @Test("the standard error counts tokens or windows, as the unit says")
  func standardErrors() throws {
    let windows = [[1.0, 2, 3], [2, 4, 6], [0, 1, 2], [5, 5, 5]]
    var (byToken, byWindow) = (SampleStatistics(unit: .token), SampleStatistics(unit: .window))
    for window in windows {
      byToken.add(window)
      byWindow.add(window)
    }
    let all = windows.flatMap(\.self)
    #expect(byToken.mean == 3 && byWindow.mean == 3)
    #expect(close(try #require(byToken.standardError), error(all)))
    #expect(close(try #require(byWindow.standardError), error([2, 4, 1, 5])))
  }

  @Test("the error over tokens is the one llama.cpp computes from sums of squares")
  func sumsOfSquares() throws {
    let values = (0..<100).map { 3 + sin(Double($0)) }
    var statistics = SampleStatistics(unit: .token)
    statistics.add(values)
    let mean = values.reduce(0, +) / 100
    let meanOfSquares = values.reduce(0) { $0 + $1 * $1 } / 100
    let expected = ((meanOfSquares - mean * mean) / 99).squareRoot()
    #expect(close(try #require(statistics.standardError), expected))
  }

  @Test("one observation has no standard error, none has mean 0")
  func few() {
    var statistics = SampleStatistics(unit: .window)
    #expect(statistics.mean == 0 && statistics.quantile(0.99) == 0)
    statistics.add([1, 2])
    #expect(statistics.mean == 1.5 && statistics.standardError == nil)
  }

  @Test("quantiles are interpolated between neighbours")
  func quantiles() {
    var statistics = SampleStatistics(unit: .token)
    statistics.add((0...100).reversed().map(Double.init))
    #expect(statistics.quantile(0.99) == 99)
    #expect(statistics.quantile(0.995) == 99.5)
    #expect(statistics.quantile(0) == 0 && statistics.quantile(1) == 100)
  }

  private func error(_ values: [Double]) -> Double {
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
    return (variance / Double(values.count)).squareRoot()
  }

  private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * abs(b) }
}
