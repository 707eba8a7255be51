internal import Calibrate
internal import Models
internal import Pipeline

/// Which blocks go, and what was measured of each.
struct DepthChoice {
  /// The numbers of the blocks that go, ascending.
  var removed: [Int] = []
  /// Numbers about each block by name, for the report.
  var scores: [Int: [String: Double]] = [:]
  /// Numbers about the choice as a whole.
  var metrics: [String: Double] = [:]
}

extension DepthOptions {
  /// Measures blocks and chooses.
  ///
  /// - Parameters:
  ///   - count: How many blocks go.
  ///   - model: The model.
  ///   - set: The text.
  ///   - context: Who is told about progress.
  /// - Returns: The choice; of blocks that matter equally the first goes.
  /// - Throws: ``PruneError`` if what is measured is not finite.
  func choose(
    _ count: Int,
    _ model: LanguageModel,
    _ set: CalibrationSet,
    _ context: StageContext
  ) throws(PruneError) -> DepthChoice {
    let candidates = protect.candidates(of: model.blocks.count)
    switch method {
    case .blockInfluence:
      let distances = try StreamDistances(model, set, runsOf: contiguous ? count : nil) {
        context.progress($0, of: $1, unit: "sequences", "comparing residual streams")
      }
      return chooseByDistance(count, candidates, distances)
    case .perplexity, .kl:
      let leaveOut = LeaveOut(model, set)
      return contiguous
        ? try chooseRun(count, candidates, leaveOut, context)
        : try chooseOneByOne(count, candidates, leaveOut, context)
    }
  }

  private func chooseByDistance(
    _ count: Int,
    _ candidates: Range<Int>,
    _ distances: StreamDistances
  ) -> DepthChoice {
    var choice = DepthChoice()
    for (block, influence) in distances.influences.enumerated() {
      choice.scores[block] = ["block_influence": influence]
    }
    guard contiguous else {
      choice.removed = least(count, of: candidates) { distances.influences[$0] }
      return choice
    }
    for (start, angle) in distances.angles.enumerated() {
      choice.scores[start]?["run_angle"] = angle
    }
    let starts = candidates.lowerBound...candidates.upperBound - count
    let start = least(1, of: starts) { distances.angles[$0] }[0]
    choice.removed = Array(start..<start + count)
    choice.metrics["run_angle"] = distances.angles[start]
    return choice
  }

  private func chooseRun(
    _ count: Int,
    _ candidates: Range<Int>,
    _ leaveOut: LeaveOut,
    _ context: StageContext
  ) throws(PruneError) -> DepthChoice {
    let starts = Array(candidates.lowerBound...candidates.upperBound - count)
    let sums = try leaveOut.predictions(
      without: starts.map { $0..<$0 + count },
      removed: [],
      comparing: method == .kl
    ) {
      context.progress($0, of: $1, unit: "sequences", "leaving out runs of \(count) blocks")
    }
    var choice = DepthChoice()
    for (start, part) in zip(starts, sums) { choice.scores[start] = numbers(part, "run_") }
    let best = least(1, of: starts.indices) { score(sums[$0]) }[0]
    choice.removed = Array(starts[best]..<starts[best] + count)
    choice.metrics = numbers(sums[best], "calibration_")
    return choice
  }

  private func chooseOneByOne(
    _ count: Int,
    _ candidates: Range<Int>,
    _ leaveOut: LeaveOut,
    _ context: StageContext
  ) throws(PruneError) -> DepthChoice {
    var choice = DepthChoice()
    var removed: Set<Int> = []
    let roundCount = greedy ? count : 1
    for round in 0..<roundCount {
      let left = candidates.filter { !removed.contains($0) }
      let sums = try leaveOut.predictions(
        without: left.map { $0..<$0 + 1 },
        removed: removed,
        comparing: method == .kl
      ) { done, total in
        context.progress(
          round * total + done,
          of: roundCount * total,
          unit: "sequences",
          "leaving out one block of \(left.count)"
        )
      }
      // What is shown of a block is what counted when it was chosen, or what it mattered last.
      for (block, part) in zip(left, sums) { choice.scores[block] = numbers(part, "") }
      let chosen = least(greedy ? 1 : count, of: left.indices) { score(sums[$0]) }
      for index in chosen {
        removed.insert(left[index])
        choice.scores[left[index]]?["round"] = Double(round + 1)
        if greedy { choice.metrics = numbers(sums[index], "calibration_") }
      }
    }
    choice.removed = removed.sorted()
    return choice
  }

  private func score(_ sums: PredictionSums) -> Double {
    method == .kl ? sums.meanDivergence : sums.meanLoss
  }

  private func numbers(_ sums: PredictionSums, _ prefix: String) -> [String: Double] {
    var numbers = ["\(prefix)loss": sums.meanLoss]
    if method == .kl { numbers["\(prefix)divergence"] = sums.meanDivergence }
    return numbers
  }
}

/// The `count` elements with the least scores, ascending; of equal ones the first.
///
/// - Precondition: Scores are numbers.
func least(
  _ count: Int,
  of elements: some Sequence<Int>,
  by score: (Int) -> Double
) -> [Int] {
  let ranked = elements.map { (value: score($0), element: $0) }
  return ranked.sorted { ($0.value, $0.element) < ($1.value, $1.element) }
    .prefix(count).map(\.element).sorted()
}
