/// The stages and metrics that recipes can name.
public struct StageRegistry: Sendable {
  /// The stages, in the order in which they are documented.
  public let stages: [any Stage.Type]
  /// The metrics, in the order of tables.
  public let metrics: [Metric]

  /// Creates a registry.
  ///
  /// - Parameters:
  ///   - stages: The stages; their kinds differ.
  ///   - metrics: Metrics beyond ``Metric/standard``, such as those of an evaluator.
  public init(stages: [any Stage.Type], metrics: [Metric] = []) {
    self.stages = stages
    self.metrics =
      Metric.standard + metrics.filter { new in !Metric.standard.contains { $0.name == new.name } }
  }

  /// The stage of a kind, or nil.
  public func stage(_ kind: String) -> (any Stage.Type)? { stages.first { $0.kind == kind } }

  /// The metric with a key of report.json, or nil.
  public func metric(key: String) -> Metric? { metrics.first { $0.key == key } }
}
