import Foundation

/// The losses of a training by step, few enough to draw.
public struct TrainingCurve: Sendable, Codable, Hashable {
  /// A loss.
  public struct Point: Sendable, Codable, Hashable {
    /// The step after which it was.
    public let step: Int
    /// Nats, or what else the stage's loss is counted in.
    public let loss: Double

    /// Creates a point.
    public init(step: Int, loss: Double) {
      self.step = step
      self.loss = loss
    }
  }

  /// Training losses: each the mean over the steps since the point before.
  public let training: [Point]
  /// Losses on held-out text.
  public let validation: [Point]

  /// The most points of a line.
  public static let limit = 240

  /// Creates a curve of losses in the order of steps.
  public init(training: [Point], validation: [Point]) {
    self.training = Self.thinned(training)
    self.validation = Self.thinned(validation)
  }

  /// Reads a stage's metrics.jsonl.
  ///
  /// - Returns: Nil if there is no such file, or no two losses in it.
  /// - Throws: An error if the file cannot be read.
  init?(contentsOf file: URL) throws {
    guard FileTree.exists(file) else { return nil }
    struct Line: Decodable {
      let step: Int
      let loss: Double?
      let validationLoss: Double?

      enum CodingKeys: String, CodingKey {
        case step, loss
        case validationLoss = "validation_loss"
      }
    }
    let decoder = JSONDecoder()
    var (training, validation): ([Point], [Point]) = ([], [])
    for bytes in try Data(contentsOf: file, options: .mappedIfSafe).split(separator: 0x0A) {
      // A loss that is no number is no JSON either.
      guard let line = try? decoder.decode(Line.self, from: bytes) else { continue }
      if let loss = line.loss { training.append(Point(step: line.step, loss: loss)) }
      if let loss = line.validationLoss { validation.append(Point(step: line.step, loss: loss)) }
    }
    guard training.count > 1 || validation.count > 1 else { return nil }
    self.init(training: training, validation: validation)
  }

  /// Means over runs of points, where there are more than can be drawn.
  private static func thinned(_ points: [Point]) -> [Point] {
    let length = (points.count + limit - 1) / limit
    guard length > 1 else { return points }
    return stride(from: 0, to: points.count, by: length).map { start in
      let run = points[start..<min(start + length, points.count)]
      let mean = run.reduce(0) { $0 + $1.loss } / Double(run.count)
      return Point(step: run[run.endIndex - 1].step, loss: mean)
    }
  }
}
