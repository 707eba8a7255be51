/// A number that runs report and gates can bound.
public struct Metric: Sendable, Hashable {
  /// What must be switched on for the number to be there.
  public enum Source: Sendable, Hashable {
    /// Every run has it.
    case run
    /// The recipe has an `evaluation`.
    case evaluation
    /// The evaluation compares outputs with the baseline's.
    case agreement
    /// Only a stage that measures can have it.
    case stage
  }

  /// What the number is counted in.
  public enum Unit: Sendable, Hashable {
    /// Bytes.
    case bytes
    /// Seconds.
    case seconds
    /// A fraction of one, shown as a percentage.
    case fraction
    /// Nothing: a plain number.
    case one
  }

  /// What gates call the metric.
  public let name: String
  /// The key in report.json.
  public let key: String
  /// The column's title in a table.
  public let title: String
  /// What the number is counted in.
  public let unit: Unit
  /// What must be switched on for it.
  public let source: Source
  /// Whether less is better; nil if that depends.
  public let lessIsBetter: Bool?
  /// What the number means, in one sentence.
  public let summary: String
  /// Whether the number is left out of the table of results; gates can bound it all the same.
  public let isDetail: Bool

  /// Creates a metric.
  public init(
    _ name: String,
    key: String? = nil,
    title: String,
    unit: Unit = .one,
    source: Source = .evaluation,
    lessIsBetter: Bool?,
    isDetail: Bool = false,
    _ summary: String
  ) {
    self.name = name
    self.key = key ?? name
    self.title = title
    self.unit = unit
    self.source = source
    self.lessIsBetter = lessIsBetter
    self.summary = summary
    self.isDetail = isDetail
  }

  /// A value as tables show it.
  public func text(_ value: Double) -> String { RunReport.MetricDescription(self).text(value) }
}
