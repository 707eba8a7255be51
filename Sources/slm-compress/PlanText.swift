import Pipeline
import Reports

/// A plan as text.
enum PlanText {
  static func render(_ plan: RunPlan, name: String) -> String {
    let model = plan.modelSize
    var rows = [
      [
        "model", plan.creation?.matches.first.map(match) ?? "",
        ByteSize(model.byteCount).description, Wording.number(model.bitsPerWeight, digits: 3),
        plan.creation?.peakByteCount.map { "~ \(ByteSize($0))" } ?? "",
        plan.creation?.seconds.map { "~ " + Wording.seconds($0) } ?? "",
      ]
    ]
    for row in plan.rows {
      let matches = row.plan.matches
      rows.append([
        row.title, matches.count == 1 ? match(matches[0]) : "",
        row.plan.outputByteCount.map { ByteSize($0).description } ?? "",
        row.plan.bitsPerWeight.map { Wording.number($0, digits: 3) } ?? "",
        row.plan.peakByteCount.map { "~ \(ByteSize($0))" } ?? "",
        row.plan.seconds.map { "~ " + Wording.seconds($0) } ?? "",
      ])
      for match in matches where matches.count > 1 {
        rows.append(["", self.match(match), "", "", "", ""])
      }
    }
    if plan.evaluationCount > 0 {
      let seconds = plan.evaluationSeconds.map { $0 * Double(plan.evaluationCount) }
      let count = Wording.count(plan.evaluationCount, "measurement", "measurements")
      rows.append([
        "evaluation", count, "", "",
        plan.evaluationPeakByteCount.map { "~ \(ByteSize($0))" } ?? "",
        seconds.map { "~ " + Wording.seconds($0) } ?? "",
      ])
    }
    if let total = plan.totalSeconds {
      rows.append(["total", "", "", "", "", "~ " + Wording.seconds(total)])
    }
    let titles = ["stage", "matches", "output", "bits/weight", "peak memory", "time"]
    let isNumeric = [false, false, true, true, true, true]
    // A column that nothing is known for would only be in the way.
    let kept = titles.indices.filter { index in rows.contains { !$0[index].isEmpty } }
    var text = TerminalTable.render(
      titles: kept.map { titles[$0] },
      rows: rows.map { row in kept.map { row[$0] } },
      isNumeric: kept.map { isNumeric[$0] }
    )
    for note in plan.creation?.notes ?? [] { text += "model: \(note)\n" }
    if plan.evaluatedStageCount > 0, plan.evaluationCount > plan.evaluatedStageCount + 1 {
      // With exports to measure, models between stages need not be.
      let count = Wording.count(plan.evaluatedStageCount, "measurement", "measurements")
      let seconds = plan.evaluationSeconds.map {
        ", ~ " + Wording.seconds($0 * Double(plan.evaluatedStageCount))
      }
      text +=
        "evaluation: \(count) after stages\(seconds ?? ""); "
        + "`after: exports` leaves them out\n"
    }
    for row in plan.rows {
      for note in row.plan.notes { text += "\(row.title): \(note)\n" }
    }
    return text
  }

  private static func match(_ match: StagePlan.Match) -> String {
    let count = Wording.count(match.count, "matrix", "matrices")
    let parameters = Wording.number(Double(match.parameterCount) / 1e6, digits: 3)
    return "\(match.pattern): \(count), \(parameters) M"
  }
}
