/// Finds places for the names of points, so that they lie inside the chart and not on each other.
enum ChartLabels {
  struct Request {
    let text: String
    let x: Double
    let y: Double
  }

  struct Label {
    let text: String
    let x: Double
    let y: Double
    /// The style sheet's class for the text's alignment.
    let anchor: String
  }

  private struct Box {
    let left: Double
    let right: Double
    let top: Double
    let bottom: Double

    func overlap(_ other: Box) -> Double {
      max(0, min(right, other.right) - max(left, other.left))
        * max(0, min(bottom, other.bottom) - max(top, other.top))
    }
  }

  private static let characterWidth = 7.3
  private static let lineHeight = 14.0

  /// Places every label at the side of its point where it covers least.
  static func place(
    _ requests: [Request],
    width: Double,
    top: Double,
    bottom: Double
  ) -> [Label] {
    var taken = requests.map { request in
      Box(left: request.x - 7, right: request.x + 7, top: request.y - 7, bottom: request.y + 7)
    }
    return requests.map { request in
      let text = shortened(request.text, width: width * 0.5)
      let size = Double(text.count) * characterWidth
      let candidates: [(anchor: String, dx: Double, dy: Double)] = [
        ("start", 10, 4), ("end", -10, 4), ("middle", 0, -11), ("middle", 0, 20),
        ("start", 8, -9), ("end", -8, -9), ("start", 8, 17), ("end", -8, 17),
        ("start", 8, 30), ("end", -8, 30), ("start", 8, -22), ("end", -8, -22),
      ]
      let ranked = candidates.map { candidate -> (label: Label, box: Box, cost: Double) in
        let (x, y) = (request.x + candidate.dx, request.y + candidate.dy)
        let left =
          switch candidate.anchor {
          case "start": x
          case "end": x - size
          default: x - size / 2
          }
        let box = Box(left: left, right: left + size, top: y - lineHeight + 3, bottom: y + 3)
        let outside =
          max(0, -box.left) + max(0, box.right - width) + max(0, top - box.top)
          + max(0, box.bottom - bottom)
        let cost = taken.reduce(outside * 100) { $0 + $1.overlap(box) }
        return (Label(text: text, x: x, y: y, anchor: candidate.anchor), box, cost)
      }
      // `min` keeps the first of equals, and candidates are in the order of preference.
      guard let best = ranked.min(by: { $0.cost < $1.cost }) else {
        return Label(text: text, x: request.x, y: request.y, anchor: "start")
      }
      taken.append(best.box)
      return best.label
    }
  }

  private static func shortened(_ text: String, width: Double) -> String {
    let most = max(8, Int(width / characterWidth))
    return text.count <= most ? text : text.prefix(most - 1) + "…"
  }
}
