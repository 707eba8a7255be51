import Pipeline

/// The sentences at the head of a report.
struct ReportSummary {
  let report: RunReport

  private var baseline: RunReport.Entry? { report.entries.first { $0.subject == .baseline } }

  /// What the run is about: the smallest export, or without exports the last model.
  var result: RunReport.Entry? {
    let exports = report.entries.filter { $0.subject == .export }
    let size = { (entry: RunReport.Entry) in entry.numbers["size_bytes"] ?? .infinity }
    return exports.min { size($0) < size($1) } ?? report.entries.last { $0.subject == .stage }
  }

  /// The result against the baseline in a sentence or two.
  var headline: String {
    let model = "\(report.model.source), \(Self.count(report.model.parameters)) parameters."
    guard let baseline, let result else { return model }
    var parts: [String] = []
    if let before = baseline.numbers["size_bytes"], let after = result.numbers["size_bytes"] {
      parts.append("\(size(before)) → \(size(after)) (\(Self.change(before, after)))")
    }
    if let before = baseline.numbers["perplexity"], let after = result.numbers["perplexity"] {
      let change = Self.change(before, after)
      parts.append("perplexity \(Wording.number(before)) → \(Wording.number(after)) (\(change))")
    }
    if parts.isEmpty { return model }
    return "\(model) \(result.title): \(parts.joined(separator: ", "))."
  }

  /// How many gates passed, or nil if there are none.
  var verdict: String? {
    guard !report.gates.isEmpty else { return nil }
    let failed = report.gates.filter { !$0.passed }.count
    if failed == 0 {
      return report.gates.count == 1 ? "the gate passed" : "all \(report.gates.count) gates passed"
    }
    return "\(failed) of \(Wording.count(report.gates.count, "gate", "gates")) failed"
  }

  /// When, how long and on what, in one line.
  var circumstances: String {
    let machine = report.environment
    let memory = ByteSize(machine.memoryBytes)
    return "\(report.date) · \(Wording.seconds(report.totalSeconds)) · \(machine.processor), "
      + "\(Wording.count(machine.cores, "core", "cores")), \(memory) · \(machine.system) · "
      + "slm-compress \(machine.tool)"
  }

  private func size(_ bytes: Double) -> String {
    bytes.isFinite && abs(bytes) < 0x1p62 ? ByteSize(Int(bytes)).description : "–"
  }

  /// A change in percent with its sign.
  static func change(_ before: Double, _ after: Double) -> String {
    guard before > 0, after.isFinite else { return "–" }
    let percent = (after / before - 1) * 100
    let sign = percent < 0 ? "−" : "+"
    return "\(sign)\(Wording.number(abs(percent), digits: abs(percent) < 1 ? 2 : 3)) %"
  }

  /// A number of parameters: 134.5 M, 8.03 B.
  static func count(_ value: Int) -> String {
    switch value {
    case 1_000_000_000...: "\(Wording.number(Double(value) / 1e9)) B"
    case 1_000_000...: "\(Wording.number(Double(value) / 1e6)) M"
    case 1_000...: "\(Wording.number(Double(value) / 1e3)) k"
    default: "\(value)"
    }
  }
}
