internal import Calibrate
internal import Foundation
internal import Models
internal import Tensor

/// How far apart the residual stream is before and after blocks, and runs of blocks.
///
/// Source: Men et al., *ShortGPT: Layers in Large Language Models are More Redundant Than You
/// Expect*, 2024, arXiv:2403.03853, equation 1, for single blocks; Gromov et al., *The Unreasonable
/// Ineffectiveness of the Deeper Layers*, 2024, arXiv:2403.17887, equation 7, for runs. Differs from
/// the latter in averaging over all tokens, not the last of each sequence.
struct StreamDistances {
  /// The mean of `1 − cosine` between the stream before and after each block, `[L]`.
  private(set) var influences: [Double]
  /// The mean angle between the stream before and after each run of blocks, in half turns, by the
  /// run's first block; empty if no runs were asked for.
  private(set) var angles: [Double] = []

  /// Runs a model over text and compares.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - set: The text.
  ///   - length: The number of blocks in a run; nil for none.
  ///   - progress: Told how many sequences are done.
  /// - Throws: ``PruneError`` if the stream after a block is not finite.
  /// - Complexity: One forward pass; keeps the streams of one sequence before and after all blocks.
  init(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    runsOf length: Int?,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PruneError) {
    let count = model.blocks.count
    influences = Array(repeating: 0, count: count)
    if let length { angles = Array(repeating: 0, count: count - length + 1) }
    for (index, sequence) in set.sequences.enumerated() {
      let streams = try model.streams(sequence)
      for block in influences.indices {
        let cosines = streams[block].cosineSimilarity(streams[block + 1])
        influences[block] += Double(cosines.count) - cosines.sum()
      }
      for start in angles.indices {
        let cosines = streams[start].cosineSimilarity(streams[start + (length ?? 0)])
        angles[start] += cosines.elements(as: Float.self).reduce(0) {
          $0 + acos(Double(min(1, max(-1, $1)))) / .pi
        }
      }
      progress(index + 1, set.sequences.count)
    }
    let tokens = Double(set.tokenCount)
    influences = influences.map { $0 / tokens }
    angles = angles.map { $0 / tokens }
  }
}

extension LanguageModel {
  /// The residual streams before each block and after the last, `[1, T, D]`, with some blocks left
  /// out.
  ///
  /// - Throws: ``PruneError`` if one is not finite: cosines would show it as 0.
  func streams(_ sequence: [Int32], without removed: Set<Int> = []) throws(PruneError) -> [Tensor] {
    var streams = [embedded([sequence])]
    for block in blocks.indices {
      let before = streams[block]
      let after =
        removed.contains(block)
        ? before : steps(ofBlock: block, positions: sequence.count)(before)
      guard after.isFinite else {
        throw notFinite("the residual stream after it", at: "model.layers.\(block)", self)
      }
      streams.append(after)
    }
    return streams
  }
}
