import Pipeline

/// A training's losses by step as SVG.
struct LossChart {
  private let curve: TrainingCurve
  private let width: Double
  private let height: Double
  private let horizontal: ChartAxis
  private let vertical: ChartAxis

  /// Draws a curve; nil if it has no two points that can be drawn.
  init?(_ curve: TrainingCurve, width: Double, height: Double) {
    func drawable(_ points: [TrainingCurve.Point]) -> [TrainingCurve.Point] {
      points.filter { $0.loss.isFinite && abs($0.loss) < 1e9 && $0.step >= 0 }
    }
    let curve = TrainingCurve(
      training: drawable(curve.training),
      validation: drawable(curve.validation)
    )
    let points = curve.training + curve.validation
    guard points.count > 1 else { return nil }
    self.curve = curve
    self.width = width
    self.height = height
    horizontal = ChartAxis(
      points.map { Double($0.step) },
      from: 52,
      to: width - 12,
      includesZero: true
    )
    vertical = ChartAxis(points.map(\.loss), from: height - 40, to: 24, includesZero: false)
  }

  /// The chart as an SVG element.
  func render() -> String {
    let label = "Loss by step of the training."
    return """
      <svg viewBox="0 0 \(number(width)) \(number(height))" role="img" aria-label="\(label)" \
      xmlns="http://www.w3.org/2000/svg">
      \(grid)\(line(curve.training, "training"))\(line(curve.validation, "validation"))\
      \(dots)</svg>
      """
  }

  private var grid: String {
    ChartAxis.grid(
      horizontal,
      vertical,
      titles: ("step", "loss"),
      height: height,
      wholeNumbers: true
    )
  }

  private func line(_ points: [TrainingCurve.Point], _ kind: String) -> String {
    guard points.count > 1 else { return "" }
    let places = points.map { point in
      "\(number(horizontal.place(Double(point.step)))),\(number(vertical.place(point.loss)))"
    }
    return "<polyline class=\"line \(kind)\" points=\"\(places.joined(separator: " "))\"/>\n"
  }

  /// Points of held-out text, which are few.
  private var dots: String {
    guard curve.validation.count <= 40 else { return "" }
    return curve.validation.map { point in
      let x = number(horizontal.place(Double(point.step)))
      let y = number(vertical.place(point.loss))
      return "<circle class=\"point export\" cx=\"\(x)\" cy=\"\(y)\" r=\"3.5\">"
        + "<title>step \(point.step): \(Wording.number(point.loss))</title></circle>\n"
    }.joined()
  }
}
