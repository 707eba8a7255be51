internal import Calibrate
internal import Models
internal import Tensor

/// Measures what a model predicts without some of its blocks.
///
/// What comes before the first block left out is computed once for all candidates: each costs only
/// what follows it.
struct LeaveOut {
  private let model: LanguageModel
  private let set: CalibrationSet

  init(_ model: LanguageModel, _ set: CalibrationSet) {
    self.model = model
    self.set = set
  }

  /// Predictions without each of some runs of blocks.
  ///
  /// - Parameters:
  ///   - candidates: The runs to leave out, each alone.
  ///   - removed: Blocks that are left out in any case.
  ///   - comparing: Whether divergences from the whole model are measured, at the cost of another
  ///     pass.
  ///   - progress: Told how many sequences are done.
  /// - Returns: The sums over all tokens, by candidate.
  /// - Throws: ``PruneError`` if a stream or a sum is not finite.
  /// - Complexity: For `L` candidates about `L/2` forward passes, and the head's product for each;
  ///   keeps the streams of one sequence between all blocks and after every candidate.
  func predictions(
    without candidates: [Range<Int>],
    removed: Set<Int>,
    comparing: Bool,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PruneError) -> [PredictionSums] {
    var sums = candidates.map { _ in PredictionSums() }
    let blocks = model.blocks.indices
    for (index, sequence) in set.sequences.enumerated() {
      func apply(_ block: Int, _ x: Tensor) -> Tensor {
        model.steps(ofBlock: block, positions: set.length)(x)
      }
      func finish(_ x: Tensor) -> Tensor {
        model.finalNorm(x).reshaped([sequence.count, model.configuration.hiddenSize])
      }
      // Before each block, with the removed ones left out.
      let streams = try model.streams(sequence, without: removed)
      var reference: Tensor?
      if comparing {
        reference =
          removed.isEmpty
          ? finish(streams[blocks.count]) : finish(blocks.reduce(streams[0]) { apply($1, $0) })
      }
      let versions = candidates.map { run in
        finish(
          blocks[run.upperBound...].reduce(streams[run.lowerBound]) { x, block in
            removed.contains(block) ? x : apply(block, x)
          }
        )
      }
      let parts = Prune.predictions(
        versions,
        head: model.head,
        sequence: sequence,
        reference: reference
      )
      for (candidate, part) in parts.enumerated() {
        guard part.isFinite else {
          throw notFinite(
            "the model's loss without it",
            at: "model.layers.\(candidates[candidate].lowerBound)",
            model
          )
        }
        sums[candidate].add(part)
      }
      progress(index + 1, set.sequences.count)
    }
    return sums
  }
}
