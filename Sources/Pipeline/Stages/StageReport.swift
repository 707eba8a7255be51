/// What a stage did, as the stage itself tells it; times and sizes are added by the runner.
public struct StageReport: Sendable, Hashable, Codable {
  /// A row of the table over the model's parts.
  public struct Layer: Sendable, Hashable, Codable {
    /// The part's name, such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    /// Numbers by name, such as `relative_error`.
    public let values: [String: Double]
    /// A remark, such as the format the part fell back to.
    public let note: String?

    /// Creates a row.
    public init(_ name: String, _ values: [String: Double], note: String? = nil) {
      self.name = name
      self.values = values
      self.note = note
    }
  }

  /// Numbers about the stage as a whole by name, such as `sparsity`.
  public var metrics: [String: Double]
  /// The table over the model's parts.
  public var layers: [Layer]
  /// What the reader of the report should know before trusting the result.
  public var warnings: [String]

  /// Creates a report.
  public init(
    metrics: [String: Double] = [:],
    layers: [Layer] = [],
    warnings: [String] = []
  ) {
    self.metrics = metrics
    self.layers = layers
    self.warnings = warnings
  }
}
