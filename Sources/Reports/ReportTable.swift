import Pipeline

/// A table of text that every form of the report lays out in its own way.
struct ReportTable: Sendable {
  /// A column.
  struct Column: Sendable {
    let title: String
    /// What the column means, for a tooltip or a legend.
    var summary = ""
    /// Whether the column holds numbers, set flush right.
    var isNumeric = true
  }

  let columns: [Column]
  /// The cells of every row; empty text for what is not known.
  let rows: [[String]]

  /// Creates a table without the columns in which nothing is known.
  init(columns: [Column], rows: [[String]]) {
    let kept = columns.indices.filter { index in
      rows.contains { !$0[index].isEmpty } || !columns[index].isNumeric
    }
    self.columns = kept.map { columns[$0] }
    self.rows = rows.map { row in kept.map { row[$0] } }
  }
}

extension RunReport {
  /// The numbers of the baseline, every stage and every export.
  var resultTable: ReportTable {
    let shown = metrics.filter { !$0.isDetail }
    return ReportTable(
      columns: [ReportTable.Column(title: "model", isNumeric: false)]
        + shown.map { ReportTable.Column(title: $0.title, summary: $0.summary) },
      rows: entries.filter { $0.subject != .measurement }.map { entry in
        [entry.title] + shown.map { cell(entry, $0) }
      }
    )
  }

  private func cell(_ entry: Entry, _ metric: MetricDescription) -> String {
    guard let value = entry.numbers[metric.key] else { return "" }
    guard let error = entry.numbers[metric.key + "_standard_error"], value.isFinite else {
      return metric.text(value)
    }
    // An error of a percentage is one too.
    if metric.unit == "fraction" {
      return "\(Wording.number(value * 100)) ± \(Wording.number(error * 100, digits: 2)) %"
    }
    return "\(metric.text(value)) ± \(Wording.number(error, digits: 2))"
  }

  /// The bounds with their outcomes.
  var gateTable: ReportTable {
    ReportTable(
      columns: [
        ReportTable.Column(title: "outcome", isNumeric: false),
        ReportTable.Column(title: "metric", isNumeric: false),
        ReportTable.Column(title: "value"),
        ReportTable.Column(title: "bound", isNumeric: false),
        ReportTable.Column(title: "of", isNumeric: false),
      ],
      rows: gates.map { gate in
        [
          gate.passed ? "passed" : "FAILED", gate.metric, gate.valueText(metrics), gate.bound,
          gate.of,
        ]
      }
    )
  }
}

extension RunReport.GateOutcome {
  func valueText(_ metrics: [RunReport.MetricDescription]) -> String {
    guard let value else { return "not measured" }
    return metrics.first { $0.name == metric }?.text(value) ?? Wording.number(value)
  }
}

extension RunReport.Entry {
  /// The table over the model's parts, the most costly first if the stage tells costs; nil if it
  /// gave none.
  var layerTable: ReportTable? {
    guard !layers.isEmpty else { return nil }
    let costs = PartCosts(layers)
    let parts: [StageReport.Layer] =
      costs.map { costs in
        costs.parts.map(\.layer)
          + layers.filter { !($0.values[costs.key]?.isFinite ?? false) }
      } ?? layers
    // The costs, then columns in the order of first appearance; a dictionary has none, so that
    // names decide ties.
    var keys: [String] = costs.map { [$0.key] } ?? []
    for part in parts {
      keys += part.values.keys.sorted().filter { !keys.contains($0) }
    }
    let hasNotes = parts.contains { $0.note != nil }
    var columns = [ReportTable.Column(title: "part", isNumeric: false)]
    columns += keys.map { ReportTable.Column(title: $0.replacing("_", with: " ")) }
    if hasNotes { columns.append(ReportTable.Column(title: "note", isNumeric: false)) }
    let rows = parts.map { part in
      var row = [part.name]
      row += keys.map { key in part.values[key].map { Wording.number($0) } ?? "" }
      if hasNotes { row.append(part.note ?? "") }
      return row
    }
    return ReportTable(columns: columns, rows: rows)
  }

  /// How many parts the table has, and their order.
  var layerCount: String {
    let count = Wording.count(layers.count, "part", "parts")
    return PartCosts(layers).map { "\(count), the most costly first (\($0.title))" } ?? count
  }

  /// Numbers that are not in the table of results: known ones in their order, then others by name.
  func otherNumbers(_ metrics: [RunReport.MetricDescription]) -> [(name: String, text: String)] {
    var found: [(name: String, text: String)] = []
    for metric in metrics where metric.isDetail && !metric.key.hasSuffix("_standard_error") {
      if let value = numbers[metric.key] { found.append((metric.title, metric.text(value))) }
    }
    for (key, value) in numbers.sorted(by: { $0.key < $1.key })
    where !key.hasSuffix("_standard_error") && !metrics.contains(where: { $0.key == key }) {
      let text = key.hasSuffix("_bytes") ? size(value) : Wording.number(value)
      found.append((key.replacing("_", with: " "), text))
    }
    return found
  }

  private func size(_ bytes: Double) -> String {
    bytes.isFinite && abs(bytes) < 0x1p62 ? ByteSize(Int(bytes)).description : Wording.number(bytes)
  }
}
