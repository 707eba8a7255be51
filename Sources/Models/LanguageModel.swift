public import Tensor
public import Tokenizers

/// A decoder-only language model whose weights stay in their files until used.
///
/// ```swift
/// let model = try ModelLoader.load(URL(filePath: "SmolLM2-135M.Q4_1.gguf"))
/// let ids = try model.tokenizer().encode("The capital of France is")
/// let logits = model.logits(model.hidden([ids]))        // [1, T, V]
/// ```
public final class LanguageModel {
  /// Sizes and options.
  public let configuration: ModelConfiguration
  /// One row per token, `[V, D]`; also the head if the two are tied.
  public let embedding: Linear
  /// The decoder blocks in order.
  public let blocks: [DecoderBlock]
  /// Normalizes the residual stream before the head.
  public let finalNorm: Normalization
  /// The head, `[V, D]`; nil if it is the embedding.
  public let untiedHead: Linear?
  /// config.json and the files that go with the weights.
  public let companions: ModelCompanions

  private var rotary: RotaryTable

  package init(
    configuration: ModelConfiguration,
    embedding: Linear,
    blocks: [DecoderBlock],
    finalNorm: Normalization,
    untiedHead: Linear?,
    companions: ModelCompanions
  ) {
    self.configuration = configuration
    self.embedding = embedding
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.untiedHead = untiedHead
    self.companions = companions
    self.rotary = RotaryTable(configuration.rotary, positions: 0)
  }

  /// What the last hidden state is multiplied by, `[V, D]`.
  public var head: Linear { untiedHead ?? embedding }

  /// The linear layers of all blocks in the order of execution; embedding and head not included.
  public var linears: [Linear] { blocks.flatMap(\.linears) }

  /// Every weight matrix: the embedding, the blocks' layers, the head if it is its own.
  public var matrices: [Linear] { [embedding] + linears + (untiedHead.map { [$0] } ?? []) }

  /// Every normalization in the order of execution.
  public var norms: [Normalization] { blocks.flatMap(\.norms) + [finalNorm] }

  /// The number of weights, biases included and a tied head counted once.
  public var parameterCount: Int { configuration.parameterCount }

  /// Reads the model's own tokenizer.
  ///
  /// - Throws: ``ModelError`` if the model has none, `TokenizerError` if it is not understood.
  public func tokenizer() throws -> Tokenizer { try companions.tokenizer() }

  /// Computes the normalized hidden states that the head multiplies.
  ///
  /// - Parameters:
  ///   - sequences: `B` sequences of the same length `T` of token ids in `0..<V`.
  ///   - cache: What one sequence has seen before; it grows by these tokens.
  ///   - tap: Called with each layer's input.
  /// - Returns: `[B, T, D]`, float32.
  /// - Precondition: The sequences are of one length, and their ids in range.
  /// - Complexity: About `2 · B · T` operations per weight of the blocks.
  package func hidden(
    _ sequences: [[Int32]],
    cache: KeyValueCache? = nil,
    tap: ActivationTap? = nil
  ) -> Tensor {
    let tokens = sequences.first?.count ?? 0
    require(sequences.allSatisfy { $0.count == tokens }, "hidden: sequences differ in length")
    let start = cache?.count ?? 0
    extendRotary(to: start + tokens)
    let context = ForwardContext(
      configuration: configuration,
      rotary: rotary,
      start: start,
      cache: cache,
      tap: tap
    )
    let hidden = hidden(sequences.flatMap(\.self), count: sequences.count, context)
    cache?.advance(by: tokens)
    return hidden
  }

  private func hidden(_ tokens: [Int32], count: Int, _ context: ForwardContext) -> Tensor {
    var x = embedding.rows(tokens)  // [B · T, D]
    x = x.reshaped([count, tokens.count / max(1, count), configuration.hiddenSize])
    for block in blocks {
      if context.recomputation == .blocks && x.isRecorded {
        x = recomputed(x) { block($0, context) }
      } else {
        x = block(x, context)
      }
      context.blockTap?(block.index, x)
    }
    return finalNorm(x)
  }

  /// Computes the normalized hidden states of rows of packed documents, to be differentiated by the
  /// model's parameters.
  ///
  /// - Parameters:
  ///   - tokens: The tokens of `rows` sequences of equal length, one after another, `[B · T]`.
  ///   - rows: The number of sequences `B`.
  ///   - documentStarts: For each token the index within its row of the first token of its
  ///     document, before which attention does not look, `[B · T]`; nil if every row is one
  ///     document.
  ///   - recomputation: What the backward pass computes again.
  ///   - blockTap: Called with each block's number and the residual stream after it, `[B, T, D]`.
  /// - Returns: `[B · T, D]`, float32.
  /// - Precondition: `rows` divides the number of tokens, and ids are in range.
  package func trainingHidden(
    _ tokens: [Int32],
    rows: Int,
    documentStarts: [Int32]?,
    recomputation: Recomputation,
    blockTap: ((_ index: Int, _ stream: Tensor) -> Void)? = nil
  ) -> Tensor {
    require(
      rows > 0 && tokens.count.isMultiple(of: rows),
      "training: \(tokens.count) tokens in \(rows) rows"
    )
    var context = context(positions: tokens.count / rows)
    context.documentStarts = documentStarts
    context.recomputation = recomputation
    context.blockTap = blockTap
    return hidden(tokens, count: rows, context).reshaped([tokens.count, configuration.hiddenSize])
  }

  /// Returns the residual stream before the first block.
  ///
  /// - Parameters:
  ///   - tokens: The tokens of `rows` sequences of equal length, one after another, `[B · T]`.
  ///   - rows: The number of sequences `B`.
  /// - Returns: `[B, T, D]`, float32.
  package func embedded(_ tokens: [Int32], rows: Int) -> Tensor {
    embedding.rows(tokens).reshaped([rows, tokens.count / rows, configuration.hiddenSize])
  }

  /// Returns the residual stream after a block, to be differentiated by the block's parameters.
  ///
  /// - Parameters:
  ///   - x: The stream before it, `[B, T, D]`.
  ///   - index: The block's number.
  ///   - documentStarts: As ``trainingHidden(_:rows:documentStarts:recomputation:blockTap:)``
  ///     takes it.
  /// - Returns: `[B, T, D]`, float32.
  package func stream(_ x: Tensor, afterBlock index: Int, documentStarts: [Int32]?) -> Tensor {
    var context = context(positions: x.shape[1])
    context.documentStarts = documentStarts
    return blocks[index](x, context)
  }

  /// What a pass over sequences that begin at position 0 needs.
  func context(positions: Int) -> ForwardContext {
    extendRotary(to: positions)
    return ForwardContext(
      configuration: configuration,
      rotary: rotary,
      start: 0,
      cache: nil,
      tap: nil
    )
  }

  private func extendRotary(to positions: Int) {
    guard rotary.positions < positions else { return }
    // Doubling keeps generation from computing the table anew at every token.
    rotary = RotaryTable(
      configuration.rotary,
      positions: max(positions, 2 * rotary.positions)
    )
  }

  /// Computes the normalized hidden states that the head multiplies, `[B, T, D]`.
  ///
  /// - Parameters:
  ///   - sequences: `B` sequences of the same length `T` of token ids in `0..<V`.
  ///   - cache: What one sequence has seen before; it grows by these tokens.
  /// - Returns: `[B, T, D]`, float32.
  public func hidden(_ sequences: [[Int32]], cache: KeyValueCache? = nil) -> Tensor {
    hidden(sequences, cache: cache, tap: nil)
  }

  /// Multiplies hidden states by the head.
  ///
  /// - Parameter hidden: `[..., D]`, as ``hidden(_:cache:)`` returns them.
  /// - Returns: `[..., V]`, float32.
  public func logits(_ hidden: Tensor) -> Tensor { head(hidden) }
}
