internal import Tensor

extension LanguageModel {
  /// Continues several texts token by token, all together.
  ///
  /// Every token is a pass over the weights, which serves all texts at once. A text whose prompt is
  /// longer than another's takes its own tokens while the other is continued, so that all are at
  /// the same position and none is padded.
  ///
  /// - Parameters:
  ///   - prompts: Token ids to continue, at least one each.
  ///   - lengths: For each text the most tokens that prompt and continuation have together.
  ///   - samplings: How each text's tokens are chosen: what it becomes depends on its own seed, not
  ///     on the seeds of others.
  ///   - vocabulary: How many first tokens may be chosen; all if nil.
  ///   - excluded: Tokens of these that may not be chosen.
  /// - Returns: For each text the tokens made, the last being the one that ends a text if there is
  ///   room for it.
  /// - Throws: ``ModelError`` if the model computes numbers that are not finite.
  /// - Precondition: Prompts are not empty; all but the last token of a text fit into the model's
  ///   context, and ids are in range. Some token may be chosen.
  /// - Complexity: As many passes as the longest text has tokens, with `B` tokens each; the
  ///   prompt's part that all have in one. `2 · layers · B · T · K · C` numbers of keys and values.
  package func continuations(
    of prompts: [[Int32]],
    lengths: [Int],
    samplings: [Sampling],
    vocabulary: Int? = nil,
    excluding excluded: [Int32] = []
  ) throws(ModelError) -> [[Int32]] {
    let longest = lengths.max() ?? 0
    require(
      prompts.allSatisfy { !$0.isEmpty } && lengths.count == prompts.count
        && samplings.count == prompts.count && longest <= configuration.contextLength + 1,
      "continuations: \(prompts.count) prompts, \(lengths.count) lengths up to \(longest), "
        + "\(samplings.count) samplings"
    )
    var made = Array(repeating: [Int32](), count: prompts.count)
    var samplers = samplings.map { Sampler($0) }
    var isOpen = zip(prompts, lengths).map { $0.count < $1 }
    guard isOpen.contains(true) else { return made }
    var position = prompts.map(\.count).min() ?? 0
    let cache = KeyValueCache(configuration, capacity: longest, sequences: prompts.count)
    var inputs = prompts.map { Array($0.prefix(position)) }
    while true {
      let tokens = inputs.first?.count ?? 0
      let states = hidden(inputs, cache: cache)
        .reshaped([prompts.count * tokens, configuration.hiddenSize])
      let choosing = prompts.indices.filter { isOpen[$0] && prompts[$0].count <= position }
      if !choosing.isEmpty {
        let last = states.gathered(rows: choosing.map { Int32(($0 + 1) * tokens - 1) })
        let logits = logits(last).elements(as: Float.self)
        let width = logits.count / choosing.count
        for (place, row) in choosing.enumerated() {
          var own = Array(logits[place * width..<place * width + min(width, vocabulary ?? width)])
          for id in excluded where !own[Int(id)].isNaN { own[Int(id)] = -.infinity }
          let token = samplers[row].next(own)
          guard own[Int(token)].isFinite, !own.contains(where: \.isNaN) else {
            throw notFinite(position)
          }
          made[row].append(token)
          let isFull = prompts[row].count + made[row].count >= lengths[row]
          if isFull || configuration.endOfText.contains(token) { isOpen[row] = false }
        }
      }
      guard isOpen.contains(true) else { return made }
      // What follows the end of a text is computed with the others and not looked at.
      inputs = prompts.indices.map { row in
        let place = position - prompts[row].count
        if place < 0 { return [prompts[row][position]] }
        return [place < made[row].count ? made[row][place] : 0]
      }
      position += 1
    }
  }

  private func notFinite(_ position: Int) -> ModelError {
    ModelError(
      .notFinite,
      "the logits of token \(position) are not finite numbers",
      at: companions.name,
      remedy: "look for damaged weights, or train at a lower learning rate"
    )
  }
}
