internal import CKernels

extension Tensor {
  /// Returns what each query gathers from the values at its own position and before.
  ///
  ///     y[t, h] = Σ_s softmax_s(scale · ⟨q[t, h], k[s, h′]⟩) · v[s, h′]      h′ = h · K / H
  ///
  /// over the positions `s ≤ start + t`, of those with a window the last `window` ones. `self` are
  /// the queries; groups of `H / K` neighbouring query heads share a key head. Scores exist for
  /// 48 rows by 64 keys at a time only, and their softmax is carried along by a running maximum
  /// and sum.
  ///
  /// - Parameters:
  ///   - keys: `[B, S, K, C]`; rows beyond position `start + T − 1` are not read.
  ///   - values: Of the shape of `keys`.
  ///   - start: The position of the first query: how many keys come from a cache.
  ///   - scale: The factor of the scores; `C^(-1/2)` if nil.
  ///   - window: How many positions a query sees, its own included; all if nil.
  /// - Returns: `[B, T, H, C]`.
  /// - Precondition: All are `float32` or all `float64`, `S ≥ start + T`, and `H` is a multiple of
  ///   `K`.
  /// - Complexity: `4·B·H·C` operations for each pair of a query and a key it sees; beyond the
  ///   result, `48·(2·C + 64)·4` bytes a thread. `float64` is computed row by row.
  ///
  /// Source: Dao et al., *FlashAttention*, 2022, arXiv:2205.14135, algorithm 1, on the layout of
  /// Ainslie et al., *GQA*, 2023, arXiv:2305.13245.
  public func causalAttention(
    keys: Tensor,
    values: Tensor,
    start: Int = 0,
    scale: Double? = nil,
    window: Int? = nil
  ) -> Tensor {
    require(
      shape.rank == 4 && keys.shape.rank == 4 && keys.shape[0] == shape[0]
        && keys.shape[3] == shape[3] && start >= 0 && keys.shape[1] >= start + shape[1]
        && keys.shape[2] > 0 && shape[2] % keys.shape[2] == 0 && window.map { $0 > 0 } ?? true,
      "causalAttention: queries \(shape) from position \(start), keys \(keys.shape)"
    )
    requireReal("causalAttention")
    keys.requirePartner("causalAttention", values, keys.shape)
    requirePartner("causalAttention", keys, keys.shape)
    let y = Tensor(uninitialized: shape, dtype: dtype)
    var description = slm_attention()
    description.tokens = Int64(shape[1])
    description.keys = Int64(keys.shape[1])
    description.heads = Int64(shape[2])
    description.key_heads = Int64(keys.shape[2])
    description.channels = Int64(shape[3])
    description.start = Int64(start)
    description.window = Int64(window ?? 0)
    description.scale = scale ?? 1 / Double(shape[3]).squareRoot()
    description.key_step = Int64(keys.shape[2] * keys.shape[3])
    let (queryStride, keyStride) = (count / max(1, shape[0]), keys.count / max(1, shape[0]))
    for sequence in 0..<(count > 0 ? shape[0] : 0) {
      let (query, key) = (sequence * queryStride, sequence * keyStride)
      if isSingle {
        description.q = UnsafePointer(floats(query))
        description.k = UnsafePointer(keys.floats(key))
        description.v = UnsafePointer(values.floats(key))
        description.out = y.floats(query)
        attend(description)
      } else {
        let shared = Shared(description)
        parallelRanges(shape[1] * shape[2]) { rows in
          withUnsafePointer(to: shared.pointer) {
            slm_attention_rows_f64(
              $0,
              doubles(query),
              keys.doubles(key),
              values.doubles(key),
              y.doubles(query),
              Int64(rows.lowerBound),
              Int64(rows.upperBound)
            )
          }
        }
      }
    }
    withExtendedLifetime((self, keys, values)) {}
    return y
  }
}

/// Runs attention over one sequence.
private func attend(_ description: slm_attention) {
  let shared = Shared(description)
  let isToken = description.tokens == 1
  let units =
    isToken
    ? description.key_heads : withUnsafePointer(to: description) { slm_attention_tile_count($0) }
  // One token over few keys is done sooner than another thread could start.
  let work = description.channels * description.start * description.heads / units
  let grain = isToken ? max(1, (1 << 15) / Int(max(1, work))) : 1
  parallelRanges(Int(units), grain: grain) { range in
    withUnsafePointer(to: shared.pointer) {
      let (begin, end) = (Int64(range.lowerBound), Int64(range.upperBound))
      if isToken {
        slm_attention_token($0, begin, end)
      } else {
        slm_attention_tiles($0, begin, end)
      }
    }
  }
}
