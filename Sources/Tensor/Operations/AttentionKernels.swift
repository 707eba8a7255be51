internal import CKernels

/// One call of attention: its operands, without their nodes, and what queries see.
struct Attention {
  let queries: Tensor  // [B, T, H, C]
  let keys: Tensor  // [B, S, K, C]
  let values: Tensor  // [B, S, K, C]
  let start: Int
  let scale: Double
  let window: Int?
  let documentStarts: [Int32]?

  /// Key heads of all sequences: no two of them share keys, values or queries.
  private var unitCount: Int { keys.shape[0] * keys.shape[2] }

  /// Computes the result and, if asked to in `float32`, the scores' log-sum-exp, `[B, T, H]`.
  func result(keepingLogSums isKept: Bool) -> (result: Tensor, logSums: Tensor?) {
    let y = Tensor(uninitialized: queries.shape, dtype: queries.dtype)
    guard y.count > 0 else { return (y, nil) }
    let logSums =
      isKept && queries.isSingle
      ? Tensor(uninitialized: Shape(Array(queries.shape.dimensions.prefix(3))), dtype: .float32)
      : nil
    withDescription(result: y, logSums: logSums) { description in
      if queries.isSingle { attend(description) } else { attendInDouble(description, y) }
    }
    return (y, logSums)
  }

  /// Adds the gradients of queries, keys and values to the slots 0, 1 and 2.
  func addGradients(_ gradient: Tensor, result: Tensor, logSums: Tensor?, to slots: GradientSlots) {
    func newTensor(_ shape: Shape, for slot: Int) -> Tensor? {
      slots.isNeeded(slot) ? Tensor(uninitialized: shape, dtype: queries.dtype) : nil
    }
    guard queries.count > 0 else {
      slots.add(Tensor(zeros: queries.shape, dtype: queries.dtype), to: 0)
      slots.add(Tensor(zeros: keys.shape, dtype: queries.dtype), to: 1)
      slots.add(Tensor(zeros: keys.shape, dtype: queries.dtype), to: 2)
      return
    }
    guard queries.isSingle else { return addDoubleGradients(gradient, to: slots) }
    guard let logSums else { fail("causalAttention: the sums of the softmax were not kept") }
    withDescription(result: result, logSums: logSums) { description in
      let shares = Int(withUnsafePointer(to: description) { slm_attention_share_count($0) })
      let partShape = Shape([shares * keys.shape[0]] + keys.shape.dimensions.dropFirst())
      let dq = newTensor(queries.shape, for: 0)
      let (dk, dv) = (newTensor(partShape, for: 1), newTensor(partShape, for: 2))
      differentiate(description, gradient, dq, dk, dv, units: unitCount * shares)
      if let dq { slots.add(dq, to: 0) }
      if let dk { slots.add(sumOfShares(dk, shares), to: 1) }
      if let dv { slots.add(sumOfShares(dv, shares), to: 2) }
    }
  }

  /// Calls `body` with what the kernels are told; its pointers are good until `body` returns.
  private func withDescription(
    result: Tensor,
    logSums: Tensor?,
    _ body: (slm_attention) -> Void
  ) {
    var description = slm_attention()
    description.sequences = Int64(queries.shape[0])
    description.tokens = Int64(queries.shape[1])
    description.keys = Int64(keys.shape[1])
    description.heads = Int64(queries.shape[2])
    description.key_heads = Int64(keys.shape[2])
    description.channels = Int64(queries.shape[3])
    description.start = Int64(start)
    description.window = Int64(window ?? 0)
    description.scale = scale
    description.key_step = Int64(keys.shape[2] * keys.shape[3])
    if queries.isSingle {
      description.q = UnsafePointer(queries.floats(0))
      description.k = UnsafePointer(keys.floats(0))
      description.v = UnsafePointer(values.floats(0))
      description.out = result.floats(0)
      description.log_sums = logSums?.floats(0)
    }
    if let documentStarts {
      documentStarts.withUnsafeBufferPointer {
        description.document_starts = $0.baseAddress
        body(description)
      }
    } else {
      body(description)
    }
    withExtendedLifetime((self, result, logSums)) {}
  }

  private func attend(_ description: slm_attention) {
    let shared = Shared(description)
    // The kernel for one token keeps no sums.
    let isToken = description.tokens == 1 && description.log_sums == nil
    let units =
      isToken
      ? unitCount : Int(withUnsafePointer(to: description) { slm_attention_tile_count($0) })
    // One token over few keys is done sooner than another thread could start.
    let work = description.channels * description.start * description.heads / description.key_heads
    let grain = isToken ? max(1, (1 << 15) / Int(max(1, work))) : 1
    parallelRanges(units, grain: grain) { range in
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

  private func differentiate(
    _ description: slm_attention,
    _ gradient: Tensor,
    _ dq: Tensor?,
    _ dk: Tensor?,
    _ dv: Tensor?,
    units: Int
  ) {
    var gradients = slm_attention_gradient()
    gradients.out = UnsafePointer(gradient.floats(0))
    gradients.q = dq?.floats(0)
    gradients.k = dk?.floats(0)
    gradients.v = dv?.floats(0)
    let shared = Shared((description, gradients))
    withKernel(units, grain: 1, keeping: [gradient, dq, dk, dv]) { range in
      let (description, gradients) = shared.pointer
      withUnsafePointer(to: description) { description in
        withUnsafePointer(to: gradients) {
          slm_attention_differentiate(
            description,
            $0,
            Int64(range.lowerBound),
            Int64(range.upperBound)
          )
        }
      }
    }
  }

  /// Adds up the gradients of keys or values that parts of the queries summed.
  private func sumOfShares(_ parts: Tensor, _ shares: Int) -> Tensor {
    guard shares > 1 else { return parts }
    let sum = Tensor(uninitialized: keys.shape, dtype: .float32)
    let (count, shareCount) = (Int64(sum.count), Int64(shares))
    withKernel(sum.count, grain: elementGrain, keeping: [parts, sum]) {
      slm_attention_add_shares(
        parts.floats(0),
        shareCount,
        count,
        Int64($0.lowerBound),
        Int64($0.upperBound),
        sum.floats(0)
      )
    }
    return sum
  }

  private func attendInDouble(_ description: slm_attention, _ y: Tensor) {
    let shared = Shared(description)
    withKernel(y.shape.rows, grain: 1, keeping: [y]) { rows in
      withUnsafePointer(to: shared.pointer) {
        slm_attention_rows_f64(
          $0,
          queries.doubles(0),
          keys.doubles(0),
          values.doubles(0),
          y.doubles(0),
          Int64(rows.lowerBound),
          Int64(rows.upperBound)
        )
      }
    }
  }

  private func addDoubleGradients(_ gradient: Tensor, to slots: GradientSlots) {
    let dq = Tensor(uninitialized: queries.shape, dtype: .float64)
    let dk = Tensor(uninitialized: keys.shape, dtype: .float64)
    let dv = Tensor(uninitialized: keys.shape, dtype: .float64)
    withDescription(result: dq, logSums: nil) { description in
      let shared = Shared(description)
      withKernel(unitCount, grain: 1, keeping: [gradient, dq, dk, dv]) { units in
        withUnsafePointer(to: shared.pointer) {
          slm_attention_differentiate_f64(
            $0,
            queries.doubles(0),
            keys.doubles(0),
            values.doubles(0),
            gradient.doubles(0),
            dq.doubles(0),
            dk.doubles(0),
            dv.doubles(0),
            Int64(units.lowerBound),
            Int64(units.upperBound)
          )
        }
      }
    }
    for (slot, gradient) in [dq, dk, dv].enumerated() { slots.add(gradient, to: slot) }
  }
}
