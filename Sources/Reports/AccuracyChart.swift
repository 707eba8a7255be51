import Pipeline

/// Perplexity against size as SVG: a point for the baseline, every stage and every export.
///
/// Colours come from the page's style sheet by class, so that the chart follows its theme.
struct AccuracyChart {
  /// A model on the chart.
  struct Point {
    let name: String
    let subject: RunReport.Entry.Subject
    let megabytes: Double
    let perplexity: Double
    let error: Double
  }

  let points: [Point]
  let width: Double
  let height: Double
  private let horizontal: ChartAxis
  private let vertical: ChartAxis

  /// Creates a chart, or nil if fewer than two models have been measured.
  init?(_ report: RunReport, width: Double, height: Double) {
    let points = report.entries.compactMap { entry -> Point? in
      guard let size = entry.numbers["size_bytes"], size.isFinite,
        let perplexity = entry.numbers["perplexity"], perplexity.isFinite, perplexity > 0
      else { return nil }
      let error = entry.numbers["perplexity_standard_error"] ?? 0
      return Point(
        name: entry.title,
        subject: entry.subject,
        megabytes: size / 1e6,
        perplexity: perplexity,
        error: error.isFinite ? min(max(0, error), perplexity) : 0
      )
    }
    guard points.count > 1 else { return nil }
    self.points = points
    self.width = width
    self.height = height
    horizontal = ChartAxis(
      points.map(\.megabytes),
      from: 52,
      to: width - 16,
      includesZero: true
    )
    vertical = ChartAxis(
      points.flatMap { [$0.perplexity - $0.error, $0.perplexity + $0.error] },
      from: height - 44,
      to: 26,
      includesZero: false
    )
  }

  /// The chart as an SVG element.
  func render() -> String {
    let label =
      "Perplexity against size of \(points.count) models; lower and further left is better."
    let view = "0 0 \(number(width)) \(number(height))"
    return """
      <svg viewBox="\(view)" role="img" aria-label="\(label)" xmlns="http://www.w3.org/2000/svg">
      \(grid)\(baselineLine)\(points.map(whisker).joined())\(points.map(mark).joined())\(labels)</svg>
      """
  }

  private var grid: String {
    ChartAxis.grid(
      horizontal,
      vertical,
      titles: ("size in MB", "perplexity"),
      height: height
    )
  }

  private var baselineLine: String {
    guard let baseline = points.first(where: { $0.subject == .baseline }) else { return "" }
    let y = number(vertical.place(baseline.perplexity))
    return "<line class=\"baseline\" x1=\"\(number(horizontal.start))\" "
      + "x2=\"\(number(horizontal.end))\" y1=\"\(y)\" y2=\"\(y)\"/>\n"
  }

  private func whisker(_ point: Point) -> String {
    guard point.error > 0 else { return "" }
    let x = number(horizontal.place(point.megabytes))
    let top = number(vertical.place(point.perplexity + point.error))
    let bottom = number(vertical.place(point.perplexity - point.error))
    return "<line class=\"whisker\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(top)\" y2=\"\(bottom)\"/>\n"
  }

  private func mark(_ point: Point) -> String {
    let (x, y) = (horizontal.place(point.megabytes), vertical.place(point.perplexity))
    let title =
      "<title>\(XML.escape(point.name)): \(Wording.number(point.megabytes)) MB, "
      + "perplexity \(Wording.number(point.perplexity))</title>"
    let radius = point.subject == .export ? 6.0 : 5.0
    return "<circle class=\"point \(point.subject.rawValue)\" cx=\"\(number(x))\" "
      + "cy=\"\(number(y))\" r=\"\(number(radius))\">\(title)</circle>\n"
  }

  private var labels: String {
    let placed = ChartLabels.place(
      points.map { point in
        ChartLabels.Request(
          text: point.name,
          x: horizontal.place(point.megabytes),
          y: vertical.place(point.perplexity)
        )
      },
      width: width,
      top: 20,
      bottom: vertical.start - 4
    )
    return placed.map { label in
      "<text class=\"label \(label.anchor)\" x=\"\(number(label.x))\" y=\"\(number(label.y))\">"
        + "\(XML.escape(label.text))</text>\n"
    }.joined()
  }
}
