import Foundation
import Pipeline

/// The costs of a stage's parts as SVG: a column for each block, a row for each kind of matrix.
struct PartHeatMap {
  private let costs: PartCosts
  private let kinds: [String]
  private let blocks: ClosedRange<Int>
  private let width: Double
  private let range: (low: Double, high: Double)

  private static let top = 6.0
  private static let rowHeight = 17.0
  private static let blockLimit = 512

  /// Draws the costs; nil if they are not of several blocks, or all zero.
  init?(_ costs: PartCosts, width: Double) {
    let placed = costs.parts.filter { $0.block != nil }
    let numbers = placed.compactMap(\.block)
    guard let first = numbers.min(), let last = numbers.max(), last > first,
      last - first < Self.blockLimit
    else { return nil }
    let positive = placed.map(\.cost).filter { $0 > 0 }
    guard let least = positive.min(), let most = positive.max() else { return nil }
    self.costs = costs
    self.width = width
    blocks = first...last
    // Costs that hardly differ must not look as if they did, and one near zero not hide the rest.
    range = (min(max(least, most / 1000), most / 4), most)
    let order = [
      "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
      "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    ]
    let kinds = Set(placed.map(\.kind))
    self.kinds = order.filter(kinds.contains) + kinds.subtracting(order).sorted().prefix(20)
  }

  private var left: Double { width < 500 ? 52 : 84 }
  private var cellWidth: Double { (width - left - 6) / Double(blocks.count) }
  private var bottom: Double { Self.top + Self.rowHeight * Double(kinds.count) }

  /// The map as an SVG element.
  func render() -> String {
    let label = "\(costs.title) by block and kind of matrix."
    return """
      <svg viewBox="0 0 \(number(width)) \(number(bottom + 46))" role="img" \
      aria-label="\(XML.escape(label))" xmlns="http://www.w3.org/2000/svg">
      \(names)\(cells)\(scale)</svg>
      """
  }

  private var names: String {
    var text = ""
    for (row, kind) in kinds.enumerated() {
      let y = number(Self.top + Self.rowHeight * (Double(row) + 0.5))
      text += "<text class=\"tick end\" x=\"\(number(left - 6))\" y=\"\(y)\" dy=\"0.35em\">"
      text += "\(XML.escape(Self.short(kind)))</text>\n"
    }
    // As many numbers as have room.
    let step = [1, 2, 5, 10, 20, 50, 100].first { Double($0) * cellWidth >= 24 } ?? 200
    for block in blocks where (block - blocks.lowerBound).isMultiple(of: step) {
      let x = number(left + cellWidth * (Double(block - blocks.lowerBound) + 0.5))
      text +=
        "<text class=\"tick middle\" x=\"\(x)\" y=\"\(number(bottom + 15))\">\(block)</text>\n"
    }
    return text
  }

  private var cells: String {
    var text = ""
    for part in costs.parts {
      guard let block = part.block, let row = kinds.firstIndex(of: part.kind) else { continue }
      let x = left + cellWidth * Double(block - blocks.lowerBound)
      let y = Self.top + Self.rowHeight * Double(row)
      let gap = cellWidth > 4 ? 1.0 : 0
      text += "<rect class=\"cell\" x=\"\(number(x))\" y=\"\(number(y))\" "
      text += "width=\"\(number(cellWidth - gap))\" height=\"\(number(Self.rowHeight - 1))\" "
      text += "fill-opacity=\"\(number(opacity(part.cost), decimals: 2))\">"
      text += "<title>\(XML.escape(part.layer.name)): \(Wording.number(part.cost))</title></rect>\n"
    }
    return text
  }

  /// From what colour means how much.
  private var scale: String {
    let y = bottom + 28
    var text = "<text class=\"tick end\" x=\"\(number(left - 6))\" y=\"\(number(y + 10))\">"
    text += "\(Wording.number(range.low, digits: 2))</text>"
    for step in 0..<10 {
      let value = range.low * pow(range.high / range.low, Double(step) / 9)
      text += "<rect class=\"cell\" x=\"\(number(left + 10 * Double(step)))\" y=\"\(number(y))\" "
      text += "width=\"10\" height=\"12\" "
      text += "fill-opacity=\"\(number(opacity(value), decimals: 2))\"/>"
    }
    text += "<text class=\"tick start\" x=\"\(number(left + 106))\" y=\"\(number(y + 10))\">"
    text += "\(Wording.number(range.high, digits: 2))</text>"
    text += "<text class=\"tick end\" x=\"\(number(width - 6))\" y=\"\(number(y + 10))\">"
    return text + "block</text>\n"
  }

  private func opacity(_ cost: Double) -> Double {
    guard cost > range.low else { return 0.08 }
    return 0.08 + 0.92 * log(cost / range.low) / log(range.high / range.low)
  }

  private static func short(_ kind: String) -> String {
    let last = kind.split(separator: ".").last.map(String.init) ?? kind
    let name = last.hasSuffix("_proj") ? String(last.dropLast(5)) : last
    return name.count <= 12 ? name : name.prefix(11) + "…"
  }

  private func number(_ value: Double, decimals: Int = 1) -> String {
    let power = decimals == 1 ? 10.0 : 100.0
    return Wording.exact((value * power).rounded() / power)
  }
}
