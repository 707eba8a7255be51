internal import CKernels

/// How a loss over logits is computed without ever having all of them.
public struct HeadLossOptions: Sendable {
  /// The most bytes that the logits of the rows taken at a time may have.
  ///
  /// At least one row is taken. Fewer bytes mean more passes over the head's gradient.
  public var chunkByteCount = 64 << 20
  /// How the factors of the products with a tensor are rounded.
  public var precision = ProductPrecision.float32
  /// Whether gradients are computed together with the loss and kept until the backward pass.
  ///
  /// If not, the backward pass computes logits again: a third more work, but the gradient of the
  /// head goes straight to where it is summed, which saves a buffer as large as the head where
  /// gradients of earlier losses wait there.
  public var isEager = true

  /// Makes the standard options.
  public init() {}
}

extension Tensor {
  /// Returns the sum of a loss over the rows of `hidden · headᵀ`, the logits, a chunk of rows at a
  /// time.
  ///
  /// `body` is all that a loss has to define. With `dlogits` what it leaves of a chunk, the
  /// gradients are dhidden = dlogits · head and dhead = Σ_chunks dlogitsᵀ · hidden. If `self` or
  /// the head is being differentiated by they are computed together with the loss, so that each
  /// chunk of logits is computed once; the backward pass scales them and hands them on, the head's
  /// as the very buffer if it is the first to arrive. A stored head has no gradient.
  ///
  /// ```swift
  /// // The sum of squared logits:
  /// let loss = hidden.headLoss(head: .tensor(weight.value)) { logits, rows, gradientNeeded in
  ///   let loss = logits.sumOfSquares()
  ///   if gradientNeeded { logits = logits.scaled(by: 2) }
  ///   return loss
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - head: `[V, D]`.
  ///   - options: The size of chunks, and when gradients are computed.
  ///   - body: Given the logits of some rows, `[rows, V]`, returns the sum of their losses and, if
  ///     asked, replaces the logits by its derivatives by them. Rows come in order, in ranges that
  ///     depend on shapes and options only. Not eager, it is called again in the backward pass.
  /// - Returns: The sum, `[]`, of the dtype of `self`. Sums of chunks are added in `Double`.
  /// - Precondition: `self` is `[..., D]`, of `float32` or `float64`.
  /// - Complexity: `2·M·V·D` operations, three times as many when recorded; memory for a chunk of
  ///   logits and, when recorded, for the gradients of `self` and the head.
  ///
  /// Source: the order of computation follows Hsu et al., *Liger Kernel*, 2024, arXiv:2410.10989,
  /// section 3.2 (fused linear cross-entropy).
  public func headLoss(
    head: HeadMatrix,
    options: HeadLossOptions = HeadLossOptions(),
    body:
      @escaping (_ logits: inout Tensor, _ rows: Range<Int>, _ gradientNeeded: Bool) -> Double
  ) -> Tensor {
    head.requireFit("head loss", self)
    let trained = head.trained
    let chunks = HeadChunks(
      hidden: detached.reshaped([shape.rows, shape.columns]),
      head: head.detached,
      options: options,
      body: body
    )
    let needs = (hidden: node != nil, head: trained != nil)
    let isRecording = (needs.hidden || needs.head) && RecordingPause.current == nil
    let gradients = HeadGradients()
    let sum =
      isRecording && options.isEager
      ? chunks.run(storing: gradients, needs) : chunks.sumOfLosses()
    let (hiddenShape, headShape) = (shape, trained?.shape ?? [])
    let value = Tensor([sum], shape: []).converted(to: dtype)
    return value.recorded(
      "head loss",
      [self] + (trained.map { [$0] } ?? []),
      accumulating: { gradient, slots in
        let scale = gradient.converted(to: .float64).elements(as: Double.self)[0]
        if options.isEager {
          if let hidden = gradients.hidden.take() {
            slots.deliver(hidden.reshaped(hiddenShape), scale: scale, to: 0)
          }
          if let head = gradients.head.take() { slots.deliver(head, scale: scale, to: 1) }
        } else {
          chunks.run(addingTo: slots, hiddenShape, headShape, scale: scale)
        }
      }
    )
  }
}

/// Gradients that wait for the backward pass.
///
/// A reference, so that they can be handed over without a copy.
private final class HeadGradients: @unchecked Sendable {
  var hidden: Tensor?
  var head: Tensor?
}

extension GradientSlots {
  /// Adds a multiple of a buffer that nobody else needs: the buffer itself becomes the sum if it is
  /// the first.
  fileprivate func deliver(_ buffer: consuming Tensor, scale: Double, to index: Int) {
    guard let node = nodes[index] else { return }
    if node.gradient == nil {
      if scale != 1 { buffer.scaleInPlace(by: scale) }
      node.gradient = buffer
    } else {
      node.gradient?.add(buffer, scale: scale)
    }
  }
}

/// The loop over chunks of rows.
private struct HeadChunks {
  /// `[M, D]`.
  let hidden: Tensor
  let head: HeadMatrix
  let options: HeadLossOptions
  let body: (inout Tensor, Range<Int>, Bool) -> Double

  /// Ranges of rows of nearly the same length.
  private var ranges: [Range<Int>] {
    let rows = hidden.shape[0]
    guard rows > 0 else { return [] }
    let rowByteCount = head.vocabularySize * hidden.dtype.byteCount
    let most = max(1, options.chunkByteCount / rowByteCount)
    let count = (rows + most - 1) / most
    let length = (rows + count - 1) / count
    return stride(from: 0, to: rows, by: length).map { $0..<min(rows, $0 + length) }
  }

  /// The loss alone.
  func sumOfLosses() -> Double {
    ranges.reduce(0) { sum, rows in
      var logits = head.logits(of: hidden.rows(rows), precision: options.precision)
      return sum + body(&logits, rows, false)
    }
  }

  /// The loss; the gradients are left in buffers of their own.
  func run(storing gradients: HeadGradients, _ needs: (hidden: Bool, head: Bool)) -> Double {
    if needs.hidden {
      gradients.hidden = Tensor(uninitialized: hidden.shape, dtype: hidden.dtype)
    }
    if needs.head {
      gradients.head = Tensor(
        uninitialized: [head.vocabularySize, head.width],
        dtype: hidden.dtype
      )
    }
    let sum = run(scale: 1) { rows, dlogits in
      if let all = gradients.hidden { storeHidden(dlogits, rows, into: all, adding: false) }
      if let all = gradients.head {
        storeHead(dlogits, rows, into: all, adding: rows.lowerBound > 0)
      }
    }
    if hidden.shape[0] == 0 {
      gradients.head = gradients.head.map { Tensor(zeros: $0.shape, dtype: $0.dtype) }
    }
    return sum
  }

  /// The gradients once more, added where they are summed.
  func run(
    addingTo slots: GradientSlots,
    _ hiddenShape: Shape,
    _ headShape: Shape,
    scale: Double
  ) {
    guard hidden.shape[0] > 0 else { return }
    let dtype = hidden.dtype
    // One buffer is taken out of its slot inside the other's turn, so that the loop runs once.
    func withHead(_ body: (Tensor?, Bool) -> Void) {
      guard headShape.rank == 2 && slots.isNeeded(1) else { return body(nil, true) }
      slots.accumulate(into: 1, shape: headShape, dtype: dtype) { body($0, $1) }
    }
    withHead { headSum, headIsEmpty in
      func loop(_ hiddenSum: Tensor?, _ hiddenIsEmpty: Bool) {
        _ = run(scale: scale) { rows, dlogits in
          if let hiddenSum { storeHidden(dlogits, rows, into: hiddenSum, adding: !hiddenIsEmpty) }
          if let headSum {
            storeHead(dlogits, rows, into: headSum, adding: !headIsEmpty || rows.lowerBound > 0)
          }
        }
      }
      if slots.isNeeded(0) {
        slots.accumulate(into: 0, shape: hiddenShape, dtype: dtype) {
          loop($0.reshaped(hidden.shape), $1)
        }
      } else {
        loop(nil, true)
      }
    }
  }

  private func run(scale: Double, _ store: (Range<Int>, Tensor) -> Void) -> Double {
    ranges.reduce(0) { sum, rows in
      var logits = head.logits(of: hidden.rows(rows), precision: options.precision)
      let shape = logits.shape
      let loss = body(&logits, rows, true)
      require(
        logits.shape == shape && logits.dtype == hidden.dtype,
        "head loss: the body made \(logits.shape) of \(logits.dtype) of logits \(shape)"
      )
      if scale != 1 { logits.scaleInPlace(by: scale) }
      store(rows, logits)
      return sum + loss
    }
  }

  private func storeHidden(
    _ dlogits: Tensor,
    _ rows: Range<Int>,
    into all: Tensor,
    adding: Bool
  ) {
    head.storeHiddenGradient(
      of: dlogits,
      into: all.rows(rows),
      accumulating: adding,
      precision: options.precision
    )
  }

  private func storeHead(_ dlogits: Tensor, _ rows: Range<Int>, into all: Tensor, adding: Bool) {
    storeProduct(
      MatrixFactor(dlogits, transposed: true),
      MatrixFactor(hidden.rows(rows)),
      into: all,
      accumulating: adding,
      precision: options.precision
    )
  }
}

extension Tensor {
  /// Multiplies the elements, in place if this is their only owner.
  mutating func scaleInPlace(by factor: Double) {
    makeUnique()
    let target = self
    withKernel(count, grain: elementGrain, keeping: []) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if target.isSingle {
        slm_affine_f32(target.floats(first), Float(factor), 0, count, target.floats(first))
      } else {
        slm_affine_f64(target.doubles(first), factor, 0, count, target.doubles(first))
      }
    }
  }
}
