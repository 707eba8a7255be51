import Foundation
import Pipeline

/// What every stage and export did to the numbers of the model that it was made of.
struct StageChanges {
  /// A stage or export.
  struct Step {
    let entry: RunReport.Entry
    /// The place among the steps of the stage that left the model it read; nil for the baseline.
    let source: Int?
  }

  /// A number before and after a step.
  struct Change {
    let before: Double
    let after: Double
    var difference: Double { after - before }
  }

  let baseline: RunReport.Entry
  /// In the order of the recipe.
  let steps: [Step]

  /// Finds the steps; nil without a baseline.
  init?(_ report: RunReport) {
    guard let baseline = report.entries.first(where: { $0.subject == .baseline }) else {
      return nil
    }
    self.baseline = baseline
    var steps: [Step] = []
    for entry in report.entries where entry.subject == .stage || entry.subject == .export {
      let source =
        entry.input.map { title in
          steps.firstIndex { $0.entry.subject == .stage && $0.entry.title == title }
        } ?? steps.lastIndex { $0.entry.subject == .stage }
      steps.append(Step(entry: entry, source: source))
    }
    self.steps = steps
  }

  /// A number after a step, and before it: that of the nearest earlier model that has it.
  func change(_ key: String, at index: Int) -> Change? {
    guard let after = number(key, steps[index].entry) else { return nil }
    guard let source = measuredSource(key, at: index) else {
      return number(key, baseline).map { Change(before: $0, after: after) }
    }
    return number(key, steps[source].entry).map { Change(before: $0, after: after) }
  }

  /// The nearest earlier step that has a number; nil for the baseline.
  func measuredSource(_ key: String, at index: Int) -> Int? {
    var source = steps[index].source
    while let place = source, number(key, steps[place].entry) == nil {
      source = steps[place].source
    }
    return source
  }

  /// A finite number of an entry; `log_perplexity_ratio` is made of two.
  private func number(_ key: String, _ entry: RunReport.Entry) -> Double? {
    let value: Double?
    switch key {
    case "kl_mean" where entry.subject == .baseline: value = 0
    case "log_perplexity_ratio":
      guard let perplexity = entry.numbers["perplexity"], perplexity > 0,
        let base = baseline.numbers["perplexity"], base > 0
      else { return nil }
      value = log(perplexity) - log(base)
    default: value = entry.numbers[key]
    }
    return value.flatMap { $0.isFinite ? $0 : nil }
  }

  // MARK: - Table

  /// The changes as a table; nil for less than two steps, whose table would repeat the results.
  func table(_ metrics: [RunReport.MetricDescription]) -> ReportTable? {
    guard steps.count > 1 else { return nil }
    func text(_ key: String, _ entry: RunReport.Entry) -> String {
      guard let metric = metrics.first(where: { $0.key == key }), let value = entry.numbers[key]
      else { return "" }
      return metric.text(value)
    }
    func relative(_ change: Change?) -> String {
      change.map { ReportSummary.change($0.before, $0.after) } ?? ""
    }
    let columns = [
      ReportTable.Column(title: "step", isNumeric: false),
      ReportTable.Column(title: "of", isNumeric: false),
      ReportTable.Column(title: "size"), ReportTable.Column(title: "changes by"),
      ReportTable.Column(title: "perplexity"), ReportTable.Column(title: "changes by"),
      ReportTable.Column(title: "KL"), ReportTable.Column(title: "changes by"),
      ReportTable.Column(title: "tokens/s"),
    ]
    let first = [
      baseline.title, "", text("size_bytes", baseline), "", text("perplexity", baseline), "", "",
      "", text("tokens_per_second", baseline),
    ]
    return ReportTable(
      columns: columns,
      rows: [first]
        + steps.indices.map { index in
          let entry = steps[index].entry
          return [
            entry.title, steps[index].source.map { steps[$0].entry.title } ?? baseline.title,
            text("size_bytes", entry), relative(change("size_bytes", at: index)),
            text("perplexity", entry), relative(change("perplexity", at: index)),
            text("kl_mean", entry),
            change("kl_mean", at: index).map { Self.signed($0.difference) } ?? "",
            text("tokens_per_second", entry),
          ]
        }
    )
  }

  /// A number with its sign.
  static func signed(_ value: Double) -> String {
    value == 0 ? "±0" : (value < 0 ? "−" : "+") + Wording.number(abs(value), digits: 3)
  }
}
