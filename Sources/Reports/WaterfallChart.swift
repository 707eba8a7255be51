import Pipeline

/// What each stage cost or gave back as SVG: a bar from the divergence before it to that after it.
///
/// Bars hang on those of the models they were made of, from the baseline at zero down to the
/// exported files.
struct WaterfallChart {
  private struct Bar {
    let entry: RunReport.Entry
    let change: StageChanges.Change
    /// The bar of the model that this one was made of; nil for the baseline.
    let source: Int?
  }

  private let bars: [Bar]
  private let width: Double
  private let isNarrow: Bool
  private let axis: ChartAxis
  /// What the axis shows.
  let title: String

  /// Draws mean divergences from the baseline or, without these, losses above it; nil for less than
  /// two measured results.
  init?(_ report: RunReport, width: Double) {
    guard let changes = StageChanges(report) else { return nil }
    let choices = [
      ("kl_mean", "KL to the baseline, nats per token"),
      ("log_perplexity_ratio", "loss above the baseline's, nats per token"),
    ]
    func bars(_ key: String) -> [Bar] {
      let measured = changes.steps.indices.filter { changes.change(key, at: $0) != nil }
      return measured.compactMap { index in
        guard let change = changes.change(key, at: index), abs(change.after) < 1e9 else {
          return nil
        }
        let source = changes.measuredSource(key, at: index)
        return Bar(
          entry: changes.steps[index].entry,
          change: change,
          source: source.flatMap { measured.firstIndex(of: $0) }
        )
      }
    }
    let drawn = choices.map { (bars: bars($0.0), title: $0.1) }.first { $0.bars.count > 1 }
    guard let drawn else { return nil }
    self.bars = drawn.bars
    title = drawn.title
    self.width = width
    isNarrow = width < 500
    axis = ChartAxis(
      drawn.bars.flatMap { [$0.change.before, $0.change.after] },
      from: isNarrow ? 12 : 210,
      to: width - (isNarrow ? 12 : 150),
      includesZero: true
    )
  }

  private var rowHeight: Double { isNarrow ? 44 : 30 }
  private static let top = 12.0
  private var bottom: Double { Self.top + rowHeight * Double(bars.count) + 4 }
  private var height: Double { bottom + 42 }

  /// The chart as an SVG element.
  func render() -> String {
    let label = "What each of \(bars.count) steps added to or took from the \(title)."
    return """
      <svg viewBox="0 0 \(number(width)) \(number(height))" role="img" aria-label="\(label)" \
      xmlns="http://www.w3.org/2000/svg">
      \(grid)\(bars.indices.map(links).joined())\(bars.indices.map(row).joined())</svg>
      """
  }

  private var grid: String {
    var text = ""
    for tick in axis.ticks {
      let x = number(axis.place(tick))
      text += "<line class=\"\(tick == 0 ? "baseline" : "grid")\" x1=\"\(x)\" x2=\"\(x)\" "
      text += "y1=\"\(number(Self.top - 6))\" y2=\"\(number(bottom))\"/>"
      text += "<text class=\"tick middle\" x=\"\(x)\" y=\"\(number(bottom + 16))\">"
      text += "\(axis.text(tick))</text>\n"
    }
    let (x, y) = (number(axis.end), number(height - 6))
    return text + "<text class=\"title end\" x=\"\(x)\" y=\"\(y)\">\(XML.escape(title))</text>\n"
  }

  private func barTop(_ index: Int) -> Double {
    Self.top + rowHeight * Double(index) + (isNarrow ? 20 : 6)
  }

  /// A line from the end of the bar that this one hangs on.
  private func links(_ index: Int) -> String {
    let bar = bars[index]
    let x = number(axis.place(bar.change.before))
    let start = bar.source.map { barTop($0) + 18 } ?? Self.top - 6
    return "<line class=\"link\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(number(start))\" "
      + "y2=\"\(number(barTop(index)))\"/>\n"
  }

  private func row(_ index: Int) -> String {
    let bar = bars[index]
    let (from, to) = (axis.place(bar.change.before), axis.place(bar.change.after))
    let difference = StageChanges.signed(bar.change.difference)
    let value = "\(difference) → \(Wording.number(bar.change.after, digits: 3))"
    // A change too small to see is still a place.
    let span = max(2, abs(to - from))
    let left = abs(to - from) < 2 ? (from + to) / 2 - 1 : min(from, to)
    let kind =
      switch bar.change.difference {
      case 0: "same"
      case ..<0: "gain"
      default: "cost"
      }
    let top = barTop(index)
    let textY = number(isNarrow ? top - 6 : top + 13)
    let name = Self.shortened(bar.entry.title, length: isNarrow ? 27 : 26)
    return """
      <text class="label start" x="4" y="\(textY)">\(XML.escape(name))</text>\
      <rect class="bar \(kind)" x="\(number(left))" y="\(number(top))" width="\(number(span))" \
      height="18" rx="2"><title>\(XML.escape(bar.entry.title)): \(value)</title></rect>\
      <text class="value end" x="\(number(width - 4))" y="\(textY)">\(value)</text>

      """
  }

  private static func shortened(_ text: String, length: Int) -> String {
    text.count <= length ? text : text.prefix(length - 1) + "…"
  }
}
