public import Foundation
public import Models
public import Tensor

/// Walks through a model block by block over calibration text, one block in memory.
///
/// Between blocks only the residual stream of all tokens is kept. Inside a block each group of
/// layers is visited with the statistics of its inputs, and may be changed then: what follows is
/// computed with the changed weights, so that every layer is fitted to the inputs it will really
/// have. All this takes one forward pass.
///
/// ```swift
/// let walk = try BlockWalk(model, set, options, scratch: context.stateFolder)
/// for index in model.blocks.indices {
///   try walk.walkBlock(collecting: .gram) { group in
///     for linear in group.linears { linear.weight = try quantized(linear, group.statistics) }
///   }
///   try context.finishBlock(index, of: model.blocks.count)
/// }
/// ```
///
/// Source: The order of Frantar et al., *GPTQ*, 2022, arXiv:2210.17323, with `true_sequential`.
public final class BlockWalk {
  /// The model.
  public let model: LanguageModel
  /// The sequences.
  public let set: CalibrationSet
  /// The number of the block that is walked next.
  public private(set) var next = 0

  private let stream: ActivationStore
  private let originals: ActivationStore?
  private let inputs: CalibrationInputs
  private let cache: StatisticsCache?
  /// Whether all statistics were kept by an earlier walk, so that nothing need be computed.
  private let isKnown: Bool
  private var stores: [Place: ActivationStore] = [:]
  private var budget: Int
  private let scratch: URL

  /// Where inside a block activations are kept.
  private enum Place { case mixed, gated, targets }

  /// Prepares to walk, and computes the residual stream before the first block.
  ///
  /// - Parameters:
  ///   - model: The model, which the caller changes on the way.
  ///   - set: The sequences.
  ///   - memoryByteCount: The most memory for activations; beyond it they are in a file.
  ///   - scratch: The folder of that file.
  ///   - followsOriginal: Whether a second stream runs beside the first that sees none of the
  ///     changes, so that targets of ``walkWholeBlock(_:)`` are those of the original model.
  ///   - inputs: Whether layers see the changes of those before them.
  /// - Throws: ``CalibrateError`` if activations cannot be kept.
  /// - Complexity: Keeps `tokens · D` numbers for each stream, and `tokens · (D + F)` inside a
  ///   block.
  public convenience init(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    memoryByteCount: Int,
    scratch: URL,
    followsOriginal: Bool = false,
    inputs: CalibrationInputs = .quantized
  ) throws(CalibrateError) {
    try self.init(
      model,
      set,
      memoryByteCount: memoryByteCount,
      scratch: scratch,
      followsOriginal: followsOriginal,
      inputs: inputs,
      cache: nil
    )
  }

  /// Prepares to walk with Gram matrices of original inputs kept in files: ``walkBlock`` reads what
  /// an earlier walk has left there, or leaves it.
  package init(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    memoryByteCount: Int,
    scratch: URL,
    followsOriginal: Bool = false,
    inputs: CalibrationInputs,
    cache: StatisticsCache?
  ) throws(CalibrateError) {
    self.model = model
    self.inputs = inputs
    self.cache = cache
    isKnown = cache?.isComplete ?? false
    self.set = set
    self.scratch = scratch
    var budget = memoryByteCount
    let width = model.configuration.hiddenSize
    func store() throws(CalibrateError) -> ActivationStore {
      try ActivationStore(
        rows: set.tokenCount,
        width: width,
        chunk: Self.chunk(set),
        budget: &budget,
        scratch: scratch
      )
    }
    stream = try store()
    originals = followsOriginal ? try store() : nil
    self.budget = budget
    guard !isKnown else { return }
    for chunk in chunks {
      let x = model.embedded(Array(set.sequences[sequences(chunk)]))
      try stream.set(chunk, x)
      try originals?.set(chunk, x)
    }
  }

  // MARK: - Walking

  /// Walks through the next block layer by layer; with original inputs all statistics are collected
  /// before the first visit.
  ///
  /// - Parameters:
  ///   - selection: What to collect of the inputs.
  ///   - visit: Called for each group of layers in the order of execution; may change their
  ///     weights.
  /// - Throws: What `visit` throws; ``CalibrateError`` if an input is not finite, naming the layer.
  public func walkBlock(
    collecting selection: InputStatistics.Selection,
    visit: (InputGroup) throws -> Void
  ) throws {
    guard inputs == .quantized else {
      for group in try originalGroups(selection) { try visit(group) }
      return
    }
    let steps = model.steps(ofBlock: next, positions: set.length)
    let (attention, feedForward) = (steps.block.attention, steps.block.feedForward)
    try advanceOriginals(steps)
    func visitGroup(_ linears: [Linear], _ input: (Range<Int>) throws -> Tensor) throws {
      var collector = StatisticsCollector(
        width: linears[0].columns,
        selection,
        rowCount: set.tokenCount
      )
      for chunk in chunks { collector.add(try input(chunk)) }
      let statistics = collector.finish()
      guard statistics.isFinite else { throw Self.notFinite(linears[0]) }
      try visit(InputGroup(block: next, linears: linears, statistics: statistics))
    }
    let (mixed, gated) = (try store(.mixed), try store(.gated))
    try visitGroup([attention.query, attention.key, attention.value]) { chunk in
      steps.attentionInput(try sequencesOfStream(chunk))
    }
    try visitGroup([attention.output]) { chunk in
      let input = steps.mixed(steps.attentionInput(try sequencesOfStream(chunk)))
      try mixed.set(chunk, input)
      return input
    }
    try visitGroup([feedForward.gate, feedForward.up]) { chunk in
      let sum = steps.addAttention(try stream.rows(chunk), try mixed.rows(chunk))
      try stream.set(chunk, sum)
      return steps.feedForwardInput(sum)
    }
    try visitGroup([feedForward.down]) { chunk in
      let input = steps.gated(steps.feedForwardInput(try stream.rows(chunk)))
      try gated.set(chunk, input)
      return input
    }
    for chunk in chunks {
      try stream.set(
        chunk,
        steps.addFeedForward(try stream.rows(chunk), try gated.rows(chunk))
      )
    }
    next += 1
  }

  /// What is known of the next block's inputs from the original layers; steps over the block.
  private func originalGroups(_ selection: InputStatistics.Selection) throws -> [InputGroup] {
    guard let cache, selection == .gram else {
      return try observeBlock(collecting: selection, advancing: true)
    }
    let block = next
    if isKnown {
      next += 1
      return zip(Self.groups(model.blocks[block]), try cache.read(block)).map {
        InputGroup(block: block, linears: $0, statistics: $1)
      }
    }
    let groups = try observeBlock(collecting: selection, advancing: true).map {
      InputGroup(block: block, linears: $0.linears, statistics: $0.statistics.keptPrecision)
    }
    try cache.write(groups.map(\.statistics), block: block)
    if next == model.blocks.count {
      try cache.write([headStatistics(collecting: .gram).keptPrecision], block: next)
    }
    return groups
  }

  /// Layers that share an input, in the order of execution.
  private static func groups(_ block: DecoderBlock) -> [[Linear]] {
    let (attention, feedForward) = (block.attention, block.feedForward)
    return [
      [attention.query, attention.key, attention.value], [attention.output],
      [feedForward.gate, feedForward.up], [feedForward.down],
    ]
  }

  /// Looks at the inputs of all layers of the next block, with its weights as they are.
  ///
  /// For methods that change several layers at once, which the caller does after this; inputs of
  /// later layers do not see the changes then.
  ///
  /// - Parameters:
  ///   - selection: What to collect of the inputs.
  ///   - advancing: Whether to step over the block, which is right if its changes leave its
  ///     outputs as they are. Otherwise the block is still the next one, to be walked through once
  ///     it is changed.
  /// - Returns: The groups of layers in the order of execution.
  /// - Throws: ``CalibrateError`` if an input is not finite, naming the layer.
  /// - Complexity: One forward pass; keeps no activations, and the statistics of all groups at
  ///   once.
  public func observeBlock(
    collecting selection: InputStatistics.Selection,
    advancing: Bool
  ) throws -> [InputGroup] {
    let steps = model.steps(ofBlock: next, positions: set.length)
    if advancing { try advanceOriginals(steps) }
    let groups = Self.groups(steps.block)
    var collectors = groups.map {
      StatisticsCollector(width: $0[0].columns, selection, rowCount: set.tokenCount)
    }
    func balanced(_ inputs: Tensor, _ stream: Tensor) -> Tensor {
      selection.contains(.balanced) ? inputs.balanced(by: stream) : inputs
    }
    for chunk in chunks {
      let x = try sequencesOfStream(chunk)
      let attentionInput = steps.attentionInput(x)
      collectors[0].add(attentionInput)
      let mixed = steps.mixed(attentionInput)
      let sum = steps.addAttention(x, mixed)
      collectors[1].add(balanced(mixed, sum))
      let feedForwardInput = steps.feedForwardInput(sum)
      collectors[2].add(feedForwardInput)
      let gated = steps.gated(feedForwardInput)
      guard advancing || selection.contains(.balanced) else {
        collectors[3].add(gated)
        continue
      }
      let after = steps.addFeedForward(sum, gated)
      collectors[3].add(balanced(gated, after))
      if advancing { try stream.set(chunk, after) }
    }
    let block = next
    if advancing { next += 1 }
    return try groups.map { linears in
      // Taken out, so that its matrix is nobody else's and need not be copied.
      let statistics = collectors.removeFirst().finish()
      guard statistics.isFinite else { throw Self.notFinite(linears[0]) }
      return InputGroup(block: block, linears: linears, statistics: statistics)
    }
  }

  /// Walks through the next block as a whole, to fit it to what it was.
  ///
  /// - Parameter visit: Given the block with its inputs and the outputs it should have; may change
  ///   its weights.
  /// - Throws: What `visit` throws, and ``CalibrateError``.
  public func walkWholeBlock(_ visit: (WholeBlock) throws -> Void) throws {
    let steps = model.steps(ofBlock: next, positions: set.length)
    try advanceOriginals(steps)
    let targets = try originals ?? store(.targets)
    if originals == nil {
      for chunk in chunks { try targets.set(chunk, steps(try sequencesOfStream(chunk))) }
    }
    try visit(
      WholeBlock(steps: steps, length: set.length, inputs: stream, targets: targets)
    )
    for chunk in chunks {
      let isOriginal = inputs == .original
      try stream.set(chunk, isOriginal ? targets.rows(chunk) : steps(try sequencesOfStream(chunk)))
    }
    next += 1
  }

  /// Walks through the next block without looking, as its weights are.
  ///
  /// - Parameter visit: Given the residual stream before and after the block, `[tokens, D]`, piece
  ///   by piece.
  /// - Throws: What `visit` throws, and ``CalibrateError``.
  public func passBlock(_ visit: (_ before: Tensor, _ after: Tensor) throws -> Void = { _, _ in })
    throws
  {
    let steps = model.steps(ofBlock: next, positions: set.length)
    try advanceOriginals(steps)
    let width = model.configuration.hiddenSize
    for chunk in chunks {
      let before = try sequencesOfStream(chunk)
      let after = steps(before)
      try visit(
        before.reshaped([chunk.count, width]),
        after.reshaped([chunk.count, width])
      )
      try stream.set(chunk, after)
    }
    next += 1
  }

  /// Looks at the inputs of the head, once all blocks are walked.
  ///
  /// - Parameter selection: What to collect of the inputs.
  /// - Returns: The statistics of the hidden states after the last norm.
  /// - Throws: ``CalibrateError`` if an input is not finite.
  /// - Precondition: No block is left.
  public func observeHead(
    collecting selection: InputStatistics.Selection
  ) throws -> InputStatistics {
    require(next == model.blocks.count, "observeHead: block \(next) has not been walked")
    if inputs == .original, selection == .gram, let cache { return try cache.read(next)[0] }
    return try headStatistics(collecting: selection)
  }

  private func headStatistics(
    collecting selection: InputStatistics.Selection
  ) throws(CalibrateError) -> InputStatistics {
    var collector = StatisticsCollector(
      width: model.head.columns,
      selection,
      rowCount: set.tokenCount
    )
    for chunk in chunks { collector.add(model.finalNorm(try stream.rows(chunk))) }
    let statistics = collector.finish()
    guard statistics.isFinite else { throw Self.notFinite(model.head) }
    return statistics
  }

  // MARK: - Parts

  /// The rows of whole sequences that are computed at once.
  private var chunks: [Range<Int>] {
    let size = Self.chunk(set)
    return stride(from: 0, to: set.tokenCount, by: size).map {
      $0..<min($0 + size, set.tokenCount)
    }
  }

  private static func chunk(_ set: CalibrationSet) -> Int {
    max(1, ActivationStore.chunkTokens / set.length) * set.length
  }

  private func sequences(_ chunk: Range<Int>) -> Range<Int> {
    chunk.lowerBound / set.length..<chunk.upperBound / set.length
  }

  /// The residual stream as sequences, `[B, T, D]`.
  private func sequencesOfStream(_ chunk: Range<Int>) throws(CalibrateError) -> Tensor {
    try stream.rows(chunk)
      .reshaped([chunk.count / set.length, set.length, stream.width])
  }

  private func advanceOriginals(_ steps: BlockSteps) throws(CalibrateError) {
    guard let originals else { return }
    for chunk in chunks {
      let x = try originals.rows(chunk)
        .reshaped([chunk.count / set.length, set.length, originals.width])
      try originals.set(chunk, steps(x))
    }
  }

  private func store(_ place: Place) throws(CalibrateError) -> ActivationStore {
    if let store = stores[place] { return store }
    let configuration = model.configuration
    let width =
      switch place {
      case .mixed: configuration.queryHeads * configuration.headSize
      case .gated: configuration.feedForwardSize
      case .targets: configuration.hiddenSize
      }
    let store = try ActivationStore(
      rows: set.tokenCount,
      width: width,
      chunk: Self.chunk(set),
      budget: &budget,
      scratch: scratch
    )
    stores[place] = store
    return store
  }

  private static func notFinite(_ linear: Linear) -> CalibrateError {
    CalibrateError(
      .notFinite,
      "an input is infinite or not a number",
      at: linear.name,
      remedy: "the weights before it are damaged or quantized too coarsely; leave them out with "
        + "`exclude`, or give them more bits"
    )
  }
}
