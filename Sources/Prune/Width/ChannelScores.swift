internal import Calibrate
internal import Foundation
internal import Models
internal import Tensor

/// How much each channel of a model matters, the more the greater.
struct ChannelScores {
  /// By block and neuron, `[L][F]`.
  var feedForward: [[Double]]
  /// By block and key head, `[L][K]`.
  var keyGroups: [[Double]]
  /// By channel of the residual stream, `[D]`.
  var hidden: [Double]

  init(_ configuration: ModelConfiguration) {
    let neurons = Array(repeating: 0.0, count: configuration.feedForwardSize)
    feedForward = Array(repeating: neurons, count: configuration.layerCount)
    let groups = Array(repeating: 0.0, count: configuration.keyHeads)
    keyGroups = Array(repeating: groups, count: configuration.layerCount)
    hidden = Array(repeating: 0.0, count: configuration.hiddenSize)
  }

  /// What remains if the channels with the greatest scores do.
  func structure(_ configuration: ModelConfiguration, _ sizes: WidthSizes) -> RemainingStructure {
    var structure = RemainingStructure(configuration)
    if sizes.feedForward < configuration.feedForwardSize {
      for (block, scores) in feedForward.enumerated() {
        structure.channels[.feedForward(block: block)] = greatest(sizes.feedForward, of: scores)
      }
    }
    if sizes.keyHeads < configuration.keyHeads {
      for (block, scores) in keyGroups.enumerated() {
        structure.channels[.keyGroups(block: block)] = greatest(sizes.keyHeads, of: scores)
      }
    }
    if sizes.hidden < configuration.hiddenSize {
      structure.channels[.hidden] = greatest(sizes.hidden, of: hidden)
    }
    return structure
  }

  /// The share of the scores that what remains has; 1 for an axis that is not made narrower.
  func share(_ axis: CoupledChannels.Axis, _ structure: RemainingStructure) -> Double {
    guard let kept = structure.channels[axis] else { return 1 }
    let scores =
      switch axis {
      case .feedForward(let block): feedForward[block]
      case .keyGroups(let block): keyGroups[block]
      case .hidden: hidden
      }
    let total = scores.reduce(0, +)
    return total > 0 ? kept.reduce(0) { $0 + scores[$1] } / total : 1
  }

  /// Stops if a score is no number: it would say nothing about what matters.
  ///
  /// - Throws: ``PruneError`` that names the weight or the block to blame.
  func requireFinite(_ model: LanguageModel) throws(PruneError) {
    for block in feedForward.indices {
      for (scores, part) in [(keyGroups[block], "self_attn"), (feedForward[block], "mlp")]
      where !scores.allSatisfy(\.isFinite) {
        throw notFinite("a channel's score", at: "model.layers.\(block).\(part)", model)
      }
    }
    guard hidden.allSatisfy(\.isFinite) else {
      throw notFinite("a channel's score", at: "hidden", model)
    }
  }

  private func greatest(_ count: Int, of scores: [Double]) -> [Int] {
    least(count, of: scores.indices) { -scores[$0] }
  }

  /// Sums over each group of neighbouring elements.
  static func sums(_ values: [Double], groups: Int) -> [Double] {
    let size = values.count / groups
    return (0..<groups).map { group in
      values[group * size..<(group + 1) * size].reduce(0, +)
    }
  }
}

// MARK: - From activations and weights

extension ChannelScores {
  /// Scores by activations.
  ///
  /// - Parameters:
  ///   - walk: A walk through the model that has not begun.
  ///   - weighsUse: Whether to multiply by the norms of the weights that use a channel.
  ///   - progress: Called after each block with its number.
  /// - Returns: The scores of every axis.
  /// - Throws: `CalibrateError`.
  ///
  /// Source: Muralidharan et al., *Compact Language Models via Pruning and Knowledge Distillation*
  /// (Minitron), 2024, arXiv:2407.14679, section 2.2, with the L2 norm over all tokens. Differs
  /// from it in scoring neurons behind the gate, and for `weighsUse` in the factor.
  static func activations(
    _ walk: BlockWalk,
    weighsUse: Bool,
    progress: (Int) -> Void
  ) throws -> ChannelScores {
    let configuration = walk.model.configuration
    var scores = ChannelScores(configuration)
    for block in walk.model.blocks {
      try walk.walkBlock(collecting: .squares) { group in
        let first = group.linears[0]
        let count = Double(group.statistics.rowCount)
        var squares = group.statistics.sumsOfSquares.map { $0 / count }
        if weighsUse {
          var used = Array(repeating: 0.0, count: squares.count)
          for linear in group.linears {
            let norms = linear.weight.dense.columnSums(squared: true).elements(as: Double.self)
            for (channel, norm) in norms.enumerated() { used[channel] += norm }
          }
          for channel in squares.indices { squares[channel] *= used[channel] }
        }
        if first === block.feedForward.down {
          scores.feedForward[block.index] = squares.map { $0.squareRoot() }
        } else if first === block.attention.output {
          scores.keyGroups[block.index] = sums(squares, groups: configuration.keyHeads)
            .map { $0.squareRoot() }
        } else {
          // Where the use counts, layers count alike: what matters is the share of each input.
          let total = weighsUse ? max(squares.reduce(0, +), .leastNormalMagnitude) : 1
          for (channel, square) in squares.enumerated() {
            scores.hidden[channel] += weighsUse ? square / total : square.squareRoot()
          }
        }
      }
      block.release()
      progress(block.index)
    }
    return scores
  }

  /// Scores by the norms of the weights of each channel, over every part that has it.
  static func magnitudes(_ model: LanguageModel) -> ChannelScores {
    let configuration = model.configuration
    var scores = ChannelScores(configuration)
    var parts: [String: (rows: [Double], columns: [Double])] = [:]
    for section in model.sections {
      for linear in section.matrices {
        let weight = linear.weight.dense
        parts[linear.name] = (
          (weight * weight).rowSums().numbers, weight.columnSums(squared: true).numbers
        )
      }
      for norm in section.norms {
        let weight = norm.weight.converted(to: .float64)
        parts[norm.name] = ((weight * weight).numbers, [])
      }
      section.release()
    }
    for coupled in configuration.coupledChannels {
      var sums = Array(repeating: 0.0, count: coupled.count)
      for member in coupled.members {
        guard let part = parts[member.part] else { continue }
        let squares = member.side == .inputs ? part.columns : part.rows
        for (channel, sum) in Self.sums(squares, groups: coupled.count).enumerated() {
          sums[channel] += sum
        }
      }
      let norms = sums.map { $0.squareRoot() }
      switch coupled.axis {
      case .feedForward(let block): scores.feedForward[block] = norms
      case .keyGroups(let block): scores.keyGroups[block] = norms
      case .hidden: scores.hidden = norms
      }
    }
    return scores
  }
}

// MARK: - From gradients

extension ChannelScores {
  /// Scores by what the loss changes by, to first order, when a channel is set to zero.
  ///
  /// With a factor of 1 at the channel, the change is minus the derivative by it: the sum of weight
  /// times gradient over the weights that use the channel.
  ///
  ///     score² = mean over sequences of (Σ w · ∂loss/∂w)²
  ///
  /// - Parameters:
  ///   - model: A model whose weights are those of its files.
  ///   - set: The text.
  ///   - memoryByteCount: The most memory for residual streams; beyond it they are in a file.
  ///   - scratch: The folder of that file.
  ///   - progress: Told how many blocks are done.
  /// - Returns: The scores of every axis.
  /// - Throws: `CalibrateError` if streams cannot be kept.
  /// - Complexity: Two passes forwards and one backwards, with one block in memory and copies of
  ///   a third of its weights and their gradients.
  ///
  /// Source: Molchanov et al., *Importance Estimation for Neural Network Pruning*, 2019,
  /// arXiv:1906.10771, equation 8, with gates.
  static func gradients(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    memoryByteCount: Int,
    scratch: URL,
    progress: (_ done: Int) -> Void
  ) throws -> ChannelScores {
    let configuration = model.configuration
    var scores = ChannelScores(configuration)
    func slopes(_ parameter: Parameter?, _ gradients: Gradients) -> Tensor? {
      guard let parameter, let gradient = gradients[parameter] else { return nil }
      return parameter.value.detached * gradient
    }
    func add(_ values: [Double], to sums: inout [Double]) {
      for (channel, value) in values.enumerated() { sums[channel] += value * value }
    }
    func addHidden(_ norms: [Normalization], _ gradients: Gradients) {
      for norm in norms where norm.weight.count == configuration.hiddenSize {
        guard let slope = slopes(norm.parameter, gradients) else { continue }
        add(slope.numbers, to: &scores.hidden)
      }
    }
    let walk = try GradientWalk(
      model,
      set.sequences,
      memoryByteCount: memoryByteCount,
      scratch: scratch
    )
    try walk.walkLoss([model.finalNorm.makeTrainable()]) { _, _, gradients in
      addHidden([model.finalNorm], gradients)
    }
    model.finalNorm.freeze(as: nil)
    while let block = walk.nextBlock {
      let (down, output) = (block.feedForward.down, block.attention.output)
      let norms = [block.attentionNorm, block.feedForwardNorm]
      let parameters =
        norms.map { $0.makeTrainable() } + [down, output].flatMap { $0.makeTrainable() }
      try walk.walkBlock(parameters) { _, gradients in
        if let slope = slopes(down.parameter, gradients) {
          add(slope.columnSums().numbers, to: &scores.feedForward[block.index])
        }
        if let slope = slopes(output.parameter, gradients) {
          let sums = sums(slope.columnSums().numbers, groups: configuration.keyHeads)
          add(sums, to: &scores.keyGroups[block.index])
        }
        addHidden(norms, gradients)
      }
      for norm in norms { norm.freeze(as: nil) }
      for linear in [down, output] { linear.discardTraining() }
      progress(model.blocks.count - block.index)
    }
    let count = Double(set.sequences.count)
    func root(_ sums: [Double]) -> [Double] { sums.map { ($0 / count).squareRoot() } }
    scores.feedForward = scores.feedForward.map(root)
    scores.keyGroups = scores.keyGroups.map(root)
    scores.hidden = root(scores.hidden)
    return scores
  }
}

extension Tensor {
  /// The elements as `Double`, whatever the dtype.
  var numbers: [Double] { converted(to: .float64).elements(as: Double.self) }
}
