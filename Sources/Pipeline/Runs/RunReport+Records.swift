extension RunReport.MetricDescription {
  /// Describes a metric.
  public init(_ metric: Metric) {
    let unit =
      switch metric.unit {
      case .bytes: "bytes"
      case .seconds: "seconds"
      case .fraction: "fraction"
      case .one: "one"
      }
    self.init(
      key: metric.key,
      name: metric.name,
      title: metric.title,
      unit: unit,
      lessIsBetter: metric.lessIsBetter,
      isDetail: metric.isDetail,
      summary: metric.summary
    )
  }
}

extension StageRecord {
  /// The result in a few words, for the line that ends the stage.
  var summary: String {
    guard let sizeBytes else { return "" }
    let bits = bitsPerWeight.map { ", \(Wording.number($0, digits: 3)) bits per weight" } ?? ""
    return ByteSize(sizeBytes).description + bits
  }

  /// The record as an entry of the report.
  func entry(title: String, stage: RecipeStage, folder: String) -> RunReport.Entry {
    var numbers = report.metrics
    numbers["wall_seconds"] = wallSeconds
    numbers["peak_bytes"] = peakBytes.map(Double.init)
    numbers["size_bytes"] = sizeBytes.map(Double.init)
    numbers["bits_per_weight"] = bitsPerWeight
    let subject: RunReport.Entry.Subject =
      switch stage.effect {
      case .changesModel: .stage
      case .exports: .export
      case .measures, .restoresBaseline: .measurement
      }
    return RunReport.Entry(
      subject: subject,
      title: export?.path ?? title,
      kind: kind,
      path: export?.path ?? folder,
      options: RecipePrinter.inline(stage.options),
      numbers: numbers,
      sha256: export?.sha256,
      layers: report.layers,
      warnings: report.warnings
    )
  }
}

extension ModelMeasurement {
  /// The first numbers in a few words, for the line that ends the measurement.
  func summary(_ registry: StageRegistry) -> String {
    registry.metrics.filter { $0.source != .run && !$0.isDetail }.compactMap { metric in
      values[metric.key].map { "\(metric.title) \(metric.text($0))" }
    }.prefix(3).joined(separator: ", ")
  }
}

extension RunReport.Entry {
  /// Adds what was measured; what the stage's record has, such as sizes, stays.
  mutating func add(_ record: MeasurementRecord) {
    numbers.merge(record.measurement.values) { own, _ in own }
    evaluationSeconds = record.wallSeconds
    warnings += record.measurement.warnings.filter { !warnings.contains($0) }
  }

  /// Adds what is told in relation to the baseline.
  mutating func addRatios(to baseline: RunReport.Entry) {
    for (key, ratio) in [("size_bytes", "size_ratio"), ("perplexity", "perplexity_ratio")] {
      if let value = numbers[key], let base = baseline.numbers[key], base > 0 {
        numbers[ratio] = value / base
      }
    }
  }
}

extension Recipe {
  /// Applies every gate to the entries it is for; the first entry is the baseline, the others are
  /// those of the stages that do something, in order.
  func outcomes(_ entries: [RunReport.Entry]) -> [RunReport.GateOutcome] {
    let results = Array(entries.dropFirst())
    let exports = results.filter { $0.subject == .export }
    // Without exports the result is the last model that a stage left, or that there was.
    let standard =
      exports.isEmpty ? [results.last { $0.subject == .stage } ?? entries[0]] : exports
    return gates.gates.flatMap { gate in
      let target = gate.bound.of.flatMap { name in gateTargets.first { $0.name == name } }
      let applied = target.map { [results[place(of: $0.stage)]] } ?? standard
      return applied.map { entry in
        let value = entry.numbers[gate.metric.key]
        return RunReport.GateOutcome(
          metric: gate.metric.name,
          of: entry.title,
          bound: gate.bound.text,
          value: value,
          passed: value.map(gate.bound.passes) ?? false
        )
      }
    }
  }
}

extension Recipe {
  /// The place of a stage among those that have an entry in the report.
  private func place(of stage: Int) -> Int {
    stages[..<stage].filter { $0.effect != .restoresBaseline }.count
  }
}

extension RunReport.MetricDescription {
  /// A value as tables show it.
  public func text(_ value: Double) -> String {
    guard value.isFinite else { return Wording.number(value) }
    return switch unit {
    case "bytes": ByteSize(Int(value.clamped)).description
    case "seconds": Wording.seconds(value)
    case "fraction": Wording.number(value * 100) + " %"
    default: Wording.number(value)
    }
  }
}

extension Double {
  // The largest integers cannot be told from what is beyond them.
  fileprivate var clamped: Double { Swift.min(Swift.max(self, -0x1p62), 0x1p62) }
}
