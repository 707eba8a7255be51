extension Tensor {
  /// Returns what each query gathers from the values at its own position and before.
  ///
  ///     y[t, h] = Σ_s softmax_s(scale · ⟨q[t, h], k[s, h′]⟩) · v[s, h′]      h′ = h · K / H
  ///
  /// over the positions `s ≤ start + t`, of those with a window the last `window` ones, and with
  /// documents those of the query's own. `self` are the queries; groups of `H / K` neighbouring
  /// query heads share a key head. Scores exist for 48 rows by 64 keys at a time only, and their
  /// softmax is carried along by a running maximum and sum.
  ///
  /// Backward, with `p` the softmax and `δ[t, h] = ⟨dy[t, h], y[t, h]⟩`:
  ///
  ///     ds[t, h, s] = p[t, h, s] · (⟨dy[t, h], v[s, h′]⟩ − δ[t, h])
  ///     dq[t, h] = scale · Σ_s ds[t, h, s] · k[s, h′]
  ///     dk[s, h′] = scale · Σ_{t, h} ds[t, h, s] · q[t, h]
  ///     dv[s, h′] = Σ_{t, h} p[t, h, s] · dy[t, h]
  ///
  /// Scores are computed again for 48 rows by 48 keys at a time. Keeps `self`, `keys`, `values`,
  /// the result and the `B·T·H` logarithms of the softmax's sums until the backward pass.
  ///
  /// - Parameters:
  ///   - keys: `[B, S, K, C]`; rows beyond position `start + T − 1` are not read.
  ///   - values: Of the shape of `keys`.
  ///   - start: The position of the first query: how many keys come from a cache.
  ///   - scale: The factor of the scores; `C^(-1/2)` if nil.
  ///   - window: How many positions a query sees, its own included; all if nil.
  ///   - documentStarts: For sequences packed from several documents, `[B·T]`: the position in its
  ///     sequence at which each query's document starts, in `0...t`. Keys before it are not seen.
  /// - Returns: `[B, T, H, C]`.
  /// - Precondition: All are `float32` or all `float64`, `S ≥ start + T`, and `H` is a multiple of
  ///   `K`. With documents `start` is 0.
  /// - Complexity: `4·B·H·C` operations for each pair of a query and a key it sees, and `10·B·H·C`
  ///   backward. Beyond the result, `48·(2·C + 64)·4` bytes a thread. Backward, about
  ///   `8·(S + 120)·C′` bytes a thread, `C′` being `C` rounded up to a multiple of 48, and where
  ///   `B·K ≤ 8` up to `16 / (B·K)` times the gradients of keys and values, which shares of the
  ///   queries sum apart from each other: how many follows from the shapes alone.
  ///   `float64` is computed row by row.
  ///
  /// Source: Dao et al., *FlashAttention*, 2022, arXiv:2205.14135, algorithm 1, and Dao,
  /// *FlashAttention-2*, 2023, arXiv:2307.08691, algorithm 2, with queries in the outer loop; on
  /// the layout of Ainslie et al., *GQA*, 2023, arXiv:2305.13245.
  public func causalAttention(
    keys: Tensor,
    values: Tensor,
    start: Int = 0,
    scale: Double? = nil,
    window: Int? = nil,
    documentStarts: [Int32]? = nil
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
    if let documentStarts { requireDocuments(documentStarts, start: start) }
    let attention = Attention(
      queries: detached,
      keys: keys.detached,
      values: values.detached,
      start: start,
      scale: scale ?? 1 / Double(shape[3]).squareRoot(),
      window: window,
      documentStarts: documentStarts
    )
    let isKept = isRecorded || keys.isRecorded || values.isRecorded
    let (y, logSums) = OperationClock.measure("attention") {
      attention.result(keepingLogSums: isKept)
    }
    return y.recorded(
      "attention",
      [self, keys, values],
      accumulating: { gradient, slots in
        attention.addGradients(gradient, result: y, logSums: logSums, to: slots)
      }
    )
  }

  private func requireDocuments(_ documentStarts: [Int32], start: Int) {
    require(
      start == 0 && documentStarts.count == shape[0] * shape[1],
      "causalAttention: \(documentStarts.count) starts of documents from position \(start) for "
        + "queries \(shape)"
    )
    for (index, first) in documentStarts.enumerated() {
      let token = index % shape[1]
      require(
        first >= 0 && first <= token,
        "causalAttention: query \(token)'s document starts at \(first)"
      )
    }
  }
}
