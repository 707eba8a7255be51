extension RunReport {
  /// A bound with its outcome.
  public struct GateOutcome: Sendable, Codable, Hashable {
    /// The metric's name.
    public var metric: String
    /// The title of the entry the bound was applied to.
    public var of: String
    /// The bound in words, such as “at most 1.05”.
    public var bound: String
    /// The value; nil if it was not measured.
    public var value: Double?
    /// Whether the value lies within the bound; what was not measured does not.
    public var passed: Bool

    /// Creates an outcome.
    public init(metric: String, of: String, bound: String, value: Double?, passed: Bool) {
      self.metric = metric
      self.of = of
      self.bound = bound
      self.value = value
      self.passed = passed
    }
  }

  /// What a number of an entry means.
  public struct MetricDescription: Sendable, Codable, Hashable {
    /// The key in an entry's numbers.
    public var key: String
    /// The name in gates.
    public var name: String
    /// The title of a table's column.
    public var title: String
    /// `bytes`, `seconds`, `fraction` or `one`.
    public var unit: String
    /// Whether less is better; nil if that depends.
    public var lessIsBetter: Bool?
    /// Whether the number is left out of the table of results.
    public var isDetail: Bool
    /// What the number means.
    public var summary: String

    /// Creates a description.
    public init(
      key: String,
      name: String,
      title: String,
      unit: String,
      lessIsBetter: Bool?,
      isDetail: Bool = false,
      summary: String
    ) {
      self.key = key
      self.name = name
      self.title = title
      self.unit = unit
      self.lessIsBetter = lessIsBetter
      self.isDetail = isDetail
      self.summary = summary
    }

    enum CodingKeys: String, CodingKey {
      case key, name, title, unit, summary
      case lessIsBetter = "less_is_better"
      case isDetail = "is_detail"
    }
  }
}
