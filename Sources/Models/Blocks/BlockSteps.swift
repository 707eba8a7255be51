package import Tensor

/// A decoder block taken apart at the inputs of its linear layers.
///
/// A method that changes weights layer by layer walks through these steps, and so gives each layer
/// the input that it will have after the layers before it were changed, at the cost of one forward
/// pass.
///
/// ```swift
/// let steps = model.steps(ofBlock: 3, positions: 512)
/// let mixed = steps.mixed(steps.attentionInput(x))          // before `o_proj`
/// let y = steps.addAttention(x, mixed)
/// let product = steps.gated(steps.feedForwardInput(y))      // before `down_proj`
/// let z = steps.addFeedForward(y, product)                  // what the block returns
/// ```
package struct BlockSteps {
  /// The block.
  package let block: DecoderBlock
  let context: ForwardContext

  /// Returns the input of the query, key and value projections, `[B, T, D]`.
  package func attentionInput(_ x: Tensor) -> Tensor { block.attentionNorm(x) }

  /// Returns the input of the attention's output projection, `[B, T, H · C]`.
  package func mixed(_ input: Tensor) -> Tensor {
    block.attention.mixed(LayerInput(input), layer: block.index, context)
  }

  /// Returns the residual stream after attention, `[B, T, D]`.
  package func addAttention(_ x: Tensor, _ mixed: Tensor) -> Tensor {
    x + block.attention.output(mixed)
  }

  /// Returns the input of the gate and up projections, `[B, T, D]`.
  package func feedForwardInput(_ x: Tensor) -> Tensor { block.feedForwardNorm(x) }

  /// Returns the input of the down projection, `[B, T, F]`.
  package func gated(_ input: Tensor) -> Tensor {
    block.feedForward.gated(LayerInput(input)).value
  }

  /// Returns the residual stream after the block, `[B, T, D]`.
  package func addFeedForward(_ x: Tensor, _ gated: Tensor) -> Tensor {
    x + block.feedForward.down(gated)
  }

  /// Returns the residual stream after the block, `[B, T, D]`, from that before it.
  package func callAsFunction(_ x: Tensor) -> Tensor { block(x, context) }
}

/// What attention compares and mixes in a block, heads side by side.
package struct AttentionVectors {
  /// `[B · T, H · C]`.
  package let queries: Tensor
  /// `[B · T, K · C]`.
  package let keys: Tensor
  /// `[B · T, K · C]`.
  package let values: Tensor
}

extension LanguageModel {
  /// Computes the queries, keys and values of a block, to be differentiated by its parameters and
  /// by the stream.
  ///
  /// They are normalized where the family does so, and not turned by their positions.
  ///
  /// - Parameters:
  ///   - index: The block's number.
  ///   - stream: The residual stream before the block, `[B, T, D]`.
  /// - Returns: The vectors of all positions.
  /// - Complexity: The block's three projections and a normalization, beside what its own pass
  ///   computes: nothing has to be kept of that pass, whatever it recomputes.
  package func attentionVectors(ofBlock index: Int, from stream: Tensor) -> AttentionVectors {
    let block = blocks[index]
    let attention = block.attention
    let x = block.attentionNorm.input(stream)
    let rows = stream.shape[0] * stream.shape[1]
    func vectors(_ linear: Linear, _ heads: Int, _ norm: Normalization?) -> Tensor {
      let width = heads * configuration.headSize
      guard let norm else { return linear(x).reshaped([rows, width]) }
      return norm(linear(x).reshaped([rows, heads, configuration.headSize]))
        .reshaped([rows, width])
    }
    return AttentionVectors(
      queries: vectors(attention.query, configuration.queryHeads, attention.queryNorm),
      keys: vectors(attention.key, configuration.keyHeads, attention.keyNorm),
      values: vectors(attention.value, configuration.keyHeads, nil)
    )
  }

  /// Returns a block's steps for sequences that begin at position 0.
  ///
  /// - Parameters:
  ///   - index: The block's number.
  ///   - positions: The most tokens of a sequence.
  /// - Returns: The block taken apart.
  package func steps(ofBlock index: Int, positions: Int) -> BlockSteps {
    BlockSteps(block: blocks[index], context: context(positions: positions))
  }

  /// Returns the residual stream before the first block, `[B, T, D]`.
  ///
  /// - Precondition: The sequences are of one length, and their ids in range.
  package func embedded(_ sequences: [[Int32]]) -> Tensor {
    let tokens = sequences.first?.count ?? 0
    require(sequences.allSatisfy { $0.count == tokens }, "embedded: sequences differ in length")
    return embedding.rows(sequences.flatMap(\.self))
      .reshaped([sequences.count, tokens, configuration.hiddenSize])
  }
}
