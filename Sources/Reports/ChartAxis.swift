import Foundation
import Pipeline

/// A linear scale from numbers to places, with ticks at round numbers.
struct ChartAxis {
  /// Where the scale begins and ends on the page.
  let start: Double
  let end: Double
  private let lower: Double
  private let upper: Double
  private let step: Double

  init(_ values: [Double], from start: Double, to end: Double, includesZero: Bool) {
    self.start = start
    self.end = end
    let (least, most) = (values.min() ?? 0, values.max() ?? 1)
    let low = includesZero ? min(0, least) : least
    // Equal values still need room around them, and points should not touch the edges.
    let room = max((most - low) * 0.12, abs(most) * 0.01, 1e-9)
    // What has no negative numbers needs no room for them.
    lower = includesZero ? low - (low < 0 ? room : 0) : least < 0 ? low - room : max(0, low - room)
    upper = includesZero && most <= 0 ? room : most + room
    step = Self.roundStep((upper - lower) / 6)
  }

  /// The round numbers on the scale.
  var ticks: [Double] {
    let first = (lower / step).rounded(.up)
    let last = (upper / step).rounded(.down)
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  /// Where a number lies.
  func place(_ value: Double) -> Double {
    start + (value - lower) / (upper - lower) * (end - start)
  }

  /// A tick's number with as many decimals as tell it from the next.
  func text(_ tick: Double) -> String {
    let decimals = max(0, min(9, -Int(log10(step).rounded(.down))))
    return String(format: "%.\(decimals)f", tick + 0)
  }

  // The least of 1, 2 and 5 times a power of ten that is not smaller.
  private static func roundStep(_ size: Double) -> Double {
    let power = pow(10, log10(size).rounded(.down))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= size * 0.999 } ?? size
  }
}

extension ChartAxis {
  /// The lines and numbers of two axes as SVG, each with its title.
  ///
  /// - Parameters:
  ///   - horizontal: The axis below.
  ///   - vertical: The axis at the left, from the bottom up.
  ///   - titles: What is counted on each.
  ///   - height: The height of the drawing.
  ///   - wholeNumbers: Whether only whole numbers are written below.
  /// - Returns: Elements of an SVG.
  static func grid(
    _ horizontal: ChartAxis,
    _ vertical: ChartAxis,
    titles: (horizontal: String, vertical: String),
    height: Double,
    wholeNumbers: Bool = false
  ) -> String {
    let (left, right) = (number(horizontal.start), number(horizontal.end))
    let bottom = number(vertical.start)
    var text = ""
    for tick in vertical.ticks {
      let y = number(vertical.place(tick))
      text += "<line class=\"grid\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(y)\" y2=\"\(y)\"/>"
      text += "<text class=\"tick end\" x=\"\(number(horizontal.start - 8))\" y=\"\(y)\" "
      text += "dy=\"0.35em\">\(vertical.text(tick))</text>\n"
    }
    for tick in horizontal.ticks where !wholeNumbers || tick == tick.rounded() {
      let x = number(horizontal.place(tick))
      text += "<text class=\"tick middle\" x=\"\(x)\" y=\"\(number(vertical.start + 17))\">"
      text += "\(horizontal.text(tick))</text>\n"
    }
    text +=
      "<line class=\"axis\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(bottom)\" y2=\"\(bottom)\"/>"
    text += "<text class=\"title end\" x=\"\(right)\" y=\"\(number(height - 7))\">"
    text += "\(titles.horizontal)</text>"
    return text + "<text class=\"title\" x=\"4\" y=\"13\">\(titles.vertical)</text>\n"
  }
}

/// A place on the page to a tenth, as drawings have it.
func number(_ value: Double) -> String { Wording.exact((value * 10).rounded() / 10) }
