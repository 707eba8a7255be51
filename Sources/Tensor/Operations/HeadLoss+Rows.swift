internal import CKernels

/// The loss of one row as the kernels know it.
struct RowLoss {
  var crossEntropy: Double
  var distance: Double
  var divergence: Divergence?
  var temperature: Double
  /// How many first columns the divergence is over.
  var common: Int

  private func kernelLoss(_ reference: ReferenceChunk?, _ gradientNeeded: Bool) -> slm_loss {
    var loss = slm_loss()
    loss.cross_entropy = crossEntropy
    loss.distance = distance
    loss.temperature = temperature
    loss.common = Int64(common)
    loss.reference_columns = Int64(reference?.logits?.shape.columns ?? 0)
    loss.gradient = gradientNeeded
    let kind: slm_divergence
    switch divergence {
    case nil: kind = SLM_NO_DIVERGENCE
    case .forwardKL: kind = SLM_FORWARD_KL
    case .reverseKL: kind = SLM_REVERSE_KL
    case .jensenShannon(let beta): (kind, loss.mixture) = (SLM_JENSEN_SHANNON, beta)
    case .skewForward(let alpha): (kind, loss.mixture) = (SLM_SKEW_FORWARD, alpha)
    case .skewReverse(let alpha): (kind, loss.mixture) = (SLM_SKEW_REVERSE, alpha)
    case .totalVariation: kind = SLM_TOTAL_VARIATION
    }
    loss.divergence = Int32(kind.rawValue)
    return loss
  }

  /// Computes the losses of a chunk of rows and leaves their gradient in place of the logits.
  func apply(
    to logits: inout Tensor,
    reference: ReferenceChunk?,
    targets: [Int32]?,
    weights: [Double],
    gradientNeeded: Bool
  ) -> [slm_row_loss] {
    let teacher = reference?.logits
    if let teacher {
      require(
        teacher.dtype == logits.dtype && teacher.shape.rows == weights.count
          && teacher.shape.columns >= common,
        "head loss: reference logits \(teacher.shape) of \(teacher.dtype) for \(logits.shape)"
      )
    }
    logits.makeUnique()
    let loss = kernelLoss(reference, gradientNeeded)
    let (columns, logits) = (logits.shape.columns, logits)
    var rows = Array(repeating: slm_row_loss(), count: weights.count)
    rows.withUnsafeMutableBufferPointer { rows in
      weights.withUnsafeBufferPointer { weights in
        (targets ?? []).withUnsafeBufferPointer { given in
          func run(_ largest: slm_largest?) {
            let part = Shared(
              RowPointers(
                loss: loss,
                columns: columns,
                largest: largest,
                weights: weights.baseAddress,
                targets: targets == nil ? nil : given.baseAddress,
                out: rows.baseAddress
              )
            )
            withKernel(weights.count, grain: rowGrain(8 * columns), keeping: [logits, teacher]) {
              part.pointer.lose(logits, teacher, $0)
            }
          }
          if case .mostLikely(let tokens, let range) = reference {
            tokens.withKernelTokens(range, run)
          } else {
            run(nil)
          }
        }
      }
    }
    return rows
  }
}

/// What the kernels take of each row beside its logits and the reference.
private struct RowPointers {
  let loss: slm_loss
  let columns: Int
  let largest: slm_largest?
  let weights: UnsafePointer<Double>?
  let targets: UnsafePointer<Int32>?
  let out: UnsafeMutablePointer<slm_row_loss>?

  func lose(_ logits: Tensor, _ teacher: Tensor?, _ range: Range<Int>) {
    guard let weights, let out else { return }
    if let largest { return lose(logits, largest, range) }
    let (first, count, start) = (range.lowerBound, Int64(range.count), range.lowerBound * columns)
    let place = first * Int(loss.reference_columns)
    let (target, weight, result) = (targets.map { $0 + first }, weights + first, out + first)
    withUnsafePointer(to: loss) { loss in
      if logits.isSingle {
        let reference = teacher.map { UnsafePointer($0.floats(place)) }
        let x = logits.floats(start)
        slm_loss_rows_f32(loss, count, Int64(columns), x, reference, target, weight, result)
      } else {
        let reference = teacher.map { UnsafePointer($0.doubles(place)) }
        let x = logits.doubles(start)
        slm_loss_rows_f64(loss, count, Int64(columns), x, reference, target, weight, result)
      }
    }
  }

  private func lose(_ logits: Tensor, _ largest: slm_largest, _ range: Range<Int>) {
    guard let weights, let out else { return }
    let (first, count, start) = (range.lowerBound, Int64(range.count), range.lowerBound * columns)
    let (target, weight, result) = (targets.map { $0 + first }, weights + first, out + first)
    var largest = largest
    largest.columns += first * Int(largest.count)
    largest.probabilities += first * Int(largest.count)
    largest.rest += first
    withUnsafePointer(to: loss) { loss in
      withUnsafePointer(to: largest) { largest in
        if logits.isSingle {
          let x = logits.floats(start)
          slm_largest_rows_f32(loss, count, Int64(columns), x, largest, target, weight, result)
        } else {
          let x = logits.doubles(start)
          slm_largest_rows_f64(loss, count, Int64(columns), x, largest, target, weight, result)
        }
      }
    }
  }
}

extension MostLikelyTokens {
  /// Calls `body` with some rows as the kernels take them.
  fileprivate func withKernelTokens(_ range: Range<Int>, _ body: (slm_largest) -> Void) {
    tokens.withUnsafeBufferPointer { tokens in
      probabilities.withUnsafeBufferPointer { probabilities in
        rest.withUnsafeBufferPointer { rest in
          guard let ids = tokens.baseAddress, let shares = probabilities.baseAddress,
            let others = rest.baseAddress
          else { return }
          body(
            slm_largest(
              count: Int64(count),
              columns: ids + range.lowerBound * count,
              probabilities: shares + range.lowerBound * count,
              rest: others + range.lowerBound
            )
          )
        }
      }
    }
  }
}
