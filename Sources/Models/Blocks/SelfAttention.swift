internal import Tensor

/// Causal grouped-query self-attention.
public struct SelfAttention {
  /// Makes queries, `[H · C, D]`.
  public let query: Linear
  /// Makes keys, `[K · C, D]`.
  public let key: Linear
  /// Makes values, `[K · C, D]`.
  public let value: Linear
  /// Mixes the heads' results, `[D, H · C]`.
  public let output: Linear
  /// Normalizes each query head, in families that do.
  public let queryNorm: Normalization?
  /// Normalizes each key head, in families that do.
  public let keyNorm: Normalization?

  /// Returns what attention adds to the residual stream.
  ///
  /// - Parameters:
  ///   - x: The normalized residual stream, `[B, T, D]`.
  ///   - layer: The block's number, which names its part of the cache.
  ///   - context: Positions and cache.
  /// - Returns: `[B, T, D]`.
  func callAsFunction(_ x: LayerInput, layer: Int, _ context: ForwardContext) -> Tensor {
    let mixed = mixed(x, layer: layer, context)
    context.tap?(output, mixed)
    return output(mixed)
  }

  /// Returns what the output projection works on, `[B, T, H · C]`.
  func mixed(_ x: LayerInput, layer: Int, _ context: ForwardContext) -> Tensor {
    let model = context.configuration
    let (batch, tokens) = (x.value.shape[0], x.value.shape[1])
    let start = context.start
    context.tap?(query, x.value)
    let projected = Linear.outputs(of: [query, key, value], x)
    var queries = projected[0].reshaped([batch, tokens, model.queryHeads, model.headSize])
    var keys = projected[1].reshaped([batch, tokens, model.keyHeads, model.headSize])
    var values = projected[2].reshaped([batch, tokens, model.keyHeads, model.headSize])
    if let queryNorm { queries = queryNorm(queries) }
    if let keyNorm { keys = keyNorm(keys) }
    let table = context.rotary
    queries = queries.rotary(cosines: table.cosines, sines: table.sines, start: start)
    keys = keys.rotary(cosines: table.cosines, sines: table.sines, start: start)
    if let cache = context.cache {
      (keys, values) = cache.append(keys: keys, values: values, layer: layer)
    }
    let mixed = queries.causalAttention(
      keys: keys,
      values: values,
      start: start,
      window: model.slidingWindow,
      documentStarts: context.documentStarts
    )  // [B, T, H, C]
    return mixed.reshaped([batch, tokens, model.queryHeads * model.headSize])
  }
}
