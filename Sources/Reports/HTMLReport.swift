import Foundation
import Mustache
public import Pipeline

/// A report as one HTML page that needs nothing from outside.
public enum HTMLReport {
  /// Renders a report.
  ///
  /// - Throws: An error if the template is damaged, which a test excludes.
  public static func render(_ report: RunReport) throws -> String {
    let source = String(decoding: PackageResources.report_mustache, as: UTF8.self)
    return try MustacheTemplate(string: source).render(HTMLPage(report).fields)
  }
}

/// What the template fills in.
struct HTMLPage {
  let fields: [String: Any]

  init(_ report: RunReport) {
    let summary = ReportSummary(report: report)
    var fields: [String: Any] = [
      "name": clean(report.name),
      "headline": bound(clean(summary.headline)),
      "circumstances": bound(clean(summary.circumstances)),
      "recipe": clean(report.recipe),
      "resolved": clean(report.resolvedRecipe),
      "results": Self.table(report.resultTable),
      "tiles": Self.tiles(report, summary),
      "sections": report.entries.filter { $0.subject != .baseline }.map {
        Self.section($0, report)
      },
      "legend": report.resultTable.columns.filter { !$0.summary.isEmpty }.map {
        ["title": clean($0.title), "summary": clean($0.summary)]
      },
    ]
    if let result = summary.result { fields["result"] = clean(result.title) }
    if let verdict = summary.verdict {
      fields["verdict"] = ["text": verdict, "class": report.passed ? "pass" : "fail"]
    }
    if !report.gates.isEmpty {
      let rows = report.gates.map { gate in
        [
          "metric": clean(gate.metric), "of": clean(gate.of), "bound": clean(gate.bound),
          "value": clean(gate.valueText(report.metrics)),
          "outcome": gate.passed ? "passed" : "failed", "class": gate.passed ? "pass" : "fail",
        ]
      }
      fields["gates"] = ["rows": rows]
    }
    // Text of one drawing cannot be legible at both widths, so that there are two.
    fields["chart"] = Self.pair(
      AccuracyChart(report, width: 720, height: 360)?.render(),
      AccuracyChart(report, width: 360, height: 320)?.render()
    )
    if var changes = Self.pair(
      WaterfallChart(report, width: 720)?.render(),
      WaterfallChart(report, width: 360)?.render()
    ) {
      if let table = StageChanges(report)?.table(report.metrics) {
        changes["table"] = Self.table(table)
      }
      fields["changes"] = changes
    }
    self.fields = fields
  }

  /// A drawing for wide windows and one for narrow ones.
  private static func pair(_ wide: String?, _ narrow: String?) -> [String: Any]? {
    guard let wide, let narrow else { return nil }
    return ["wide": wide, "narrow": narrow]
  }

  private static func table(_ table: ReportTable) -> [String: Any] {
    [
      "columns": table.columns.map {
        ["title": clean($0.title), "class": $0.isNumeric ? "number" : "text"]
      },
      "rows": table.rows.map { row in
        [
          "cells": zip(table.columns, row).map { column, cell in
            ["text": clean(cell), "class": column.isNumeric ? "number" : "text"]
          }
        ]
      },
    ]
  }

  /// The result's main numbers, each with the baseline's.
  private static func tiles(_ report: RunReport, _ summary: ReportSummary) -> [[String: String]] {
    guard let result = summary.result else { return [] }
    let baseline = report.entries.first { $0.subject == .baseline }
    let keys = ["size_bytes", "bits_per_weight", "perplexity", "top1_agreement", "kl_mean"]
    return keys.compactMap { key -> [String: String]? in
      guard let metric = report.metrics.first(where: { $0.key == key }),
        let value = result.numbers[key]
      else { return nil }
      var tile = ["title": clean(metric.title), "value": clean(metric.text(value))]
      if let before = baseline?.numbers[key], metric.lessIsBetter == true, before > 0 {
        let change = ReportSummary.change(before, value)
        tile["from"] = bound("was \(metric.text(before)) (\(change))")
      } else {
        tile["from"] = clean(key == "kl_mean" ? "nats per token, mean" : "as the baseline")
      }
      return tile
    }.prefix(4).map { $0 }
  }

  private static func section(_ entry: RunReport.Entry, _ report: RunReport) -> [String: Any] {
    var section: [String: Any] = [
      "title": clean(entry.title), "kind": clean(entry.kind ?? ""),
      "options": clean(entry.options ?? ""), "warnings": entry.warnings.map(clean),
      "subject": entry.subject.rawValue,
      "facts": facts(entry, report).map { ["name": clean($0.name), "text": clean($0.text)] },
    ]
    if let layers = entry.layerTable {
      section["layers"] = [
        "count": clean(entry.layerCount), "table": table(layers),
      ]
    }
    let maps = PartCosts.drawn(entry.layers).compactMap { costs -> [String: Any]? in
      var map = pair(
        PartHeatMap(costs, width: 680)?.render(),
        PartHeatMap(costs, width: 330)?.render()
      )
      map?["title"] = costs.title
      return map
    }
    if !maps.isEmpty { section["heat"] = maps }
    if let curve = entry.curve,
      var lines = pair(
        LossChart(curve, width: 680, height: 220)?.render(),
        LossChart(curve, width: 330, height: 220)?.render()
      )
    {
      if curve.training.count > 1 { lines["training"] = true }
      if !curve.validation.isEmpty { lines["validation"] = true }
      section["curve"] = lines
    }
    return section
  }

  private static func facts(
    _ entry: RunReport.Entry,
    _ report: RunReport
  ) -> [(name: String, text: String)] {
    var facts = entry.otherNumbers(report.metrics)
    if let costs = PartCosts(entry.layers) { facts.append(("most costly", costs.summary)) }
    if let seconds = entry.evaluationSeconds {
      facts.append(("measured in", Wording.seconds(seconds)))
    }
    if let sha256 = entry.sha256 { facts.append(("SHA-256", sha256)) }
    return facts
  }
}

/// Text in which no line ends between a number and its unit.
private func bound(_ text: String) -> String {
  var result = text
  for unit in ["%", "kB", "MB", "GB", "TB", "s", "min", "h", "M", "B"] {
    for end in [" ", ",", ".", ")", ""] where !end.isEmpty || result.hasSuffix(" \(unit)") {
      result = result.replacing(" \(unit)\(end)", with: "\u{A0}\(unit)\(end)")
    }
  }
  return result
}

/// Text without the control characters that HTML cannot hold; the template escapes the rest.
private func clean(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.filter { scalar in
        scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
      }
    )
  )
}
