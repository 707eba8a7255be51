internal import CKernels

/// How far a student's distribution `q` lies from a teacher's `p`, per row in nats.
public enum Divergence: Sendable, Equatable {
  /// `KL(p ‖ q) = Σ p · log(p/q)`: the student covers all that the teacher does.
  case forwardKL
  /// `KL(q ‖ p) = Σ q · log(q/p)`: the student seeks the teacher's modes.
  case reverseKL
  /// `β·KL(p ‖ m) + (1−β)·KL(q ‖ m)` with `m = β·p + (1−β)·q`, for `β` in `0..<1` without 0.
  ///
  /// Source: Agarwal et al., *On-Policy Distillation of Language Models* (GKD), 2023,
  /// arXiv:2306.13649, equation 1.
  case jensenShannon(beta: Double)
}

/// Where a chunk of a teacher's logits comes from.
public enum ReferenceLogits {
  /// The teacher's hidden states, `[..., D']` with as many rows as the student's, and its head.
  case head(hidden: Tensor, matrix: HeadMatrix)
  /// Called with ranges of rows, returns their logits, `[rows, V]`, of the student's dtype.
  case rows((Range<Int>) -> Tensor)

  func logits(of rows: Range<Int>) -> Tensor {
    switch self {
    case .head(let hidden, let matrix):
      let states = hidden.detached.reshaped([hidden.shape.rows, hidden.shape.columns])
      return matrix.logits(of: states.rows(rows))
    case .rows(let body): return body(rows).detached
    }
  }
}

/// A loss over logits that do not exist, and what was seen of them.
public struct HeadLoss {
  /// The weighted mean over counted rows, `[]`: what to differentiate.
  public let value: Tensor
  /// The weighted sum of `−log q(target)` in nats; 0 without targets.
  public let crossEntropySum: Double
  /// The weighted sum of the divergence at the loss's temperature, in nats; 0 without a reference.
  public let divergenceSum: Double
  /// The sum of the weights of counted rows.
  public let weightSum: Double
  /// The number of rows that count.
  public let countedRows: Int
  /// The number of counted rows whose target is the first of the most likely tokens.
  public let correctRows: Int
}

extension Tensor {
  /// Returns the mean cross-entropy of the logits `hidden · headᵀ`, which never exist as a whole.
  ///
  ///     loss = Σ w · −log softmax(logits)[target] / Σ w      over rows with a target
  ///     dlogits = w / Σ w · (softmax(logits) − onehot(target))
  ///
  /// - Parameters:
  ///   - head: `[V, D]`.
  ///   - targets: The token that follows each row, `M` of them; −1 for a row that does not count.
  ///   - weights: The weight of each row, 1 if nil, not negative.
  ///   - options: The size of chunks, and when gradients are computed.
  /// - Returns: The loss, 0 if no row counts, and what it is a mean of.
  /// - Precondition: `self` is `[..., D]` with `M` rows; targets lie below `V`.
  /// - Complexity: As ``headLoss(head:options:body:)``.
  public func headCrossEntropy(
    head: HeadMatrix,
    targets: [Int32],
    weights: [Float]? = nil,
    options: HeadLossOptions = HeadLossOptions()
  ) -> HeadLoss {
    headLoss(
      head,
      RowLoss(crossEntropy: 1, distance: 0, divergence: nil, temperature: 1),
      nil,
      targets,
      weights,
      options
    )
  }

  /// Returns the mean of a distillation loss over the logits `hidden · headᵀ`, which never exist
  /// as a whole.
  ///
  ///     loss = Σ w · (α · −log softmax(z)[target] + (1−α) · T² · D(softmax(z'/T), softmax(z/T))) / Σ w
  ///
  /// with `z` the logits and `z'` the teacher's. The factor `T²` keeps the size of gradients when
  /// the temperature changes.
  ///
  /// - Parameters:
  ///   - head: `[V, D]`.
  ///   - reference: Where the teacher's logits come from, a chunk at a time.
  ///   - divergence: `D`.
  ///   - temperature: `T`, above 0.
  ///   - targets: The token that follows each row; −1 for a row that does not count. If nil, all
  ///     rows count.
  ///   - weights: The weight of each row, 1 if nil, not negative.
  ///   - crossEntropyShare: `α`, in `0...1`.
  ///   - options: The size of chunks, and when gradients are computed.
  /// - Returns: The loss, 0 if no row counts, and what it is a mean of.
  /// - Precondition: `self` is `[..., D]`; a share of cross-entropy takes targets.
  /// - Complexity: As ``headLoss(head:options:body:)`` and the teacher's logits, of which a chunk
  ///   exists at a time too.
  ///
  /// Source: Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*, 2015,
  /// arXiv:1503.02531, section 2, for the sum and `T²`.
  public func headDivergence(
    head: HeadMatrix,
    reference: ReferenceLogits,
    divergence: Divergence,
    temperature: Double = 1,
    targets: [Int32]? = nil,
    weights: [Float]? = nil,
    crossEntropyShare: Double = 0,
    options: HeadLossOptions = HeadLossOptions()
  ) -> HeadLoss {
    require(temperature > 0, "head divergence: temperature \(temperature) is not above 0")
    require(
      (0...1).contains(crossEntropyShare) && (crossEntropyShare == 0 || targets != nil),
      "head divergence: a share \(crossEntropyShare) of cross-entropy without targets or outside 0...1"
    )
    if case .jensenShannon(let beta) = divergence {
      require(beta > 0 && beta < 1, "head divergence: beta \(beta) does not lie between 0 and 1")
    }
    let loss = RowLoss(
      crossEntropy: crossEntropyShare,
      distance: (1 - crossEntropyShare) * temperature * temperature,
      divergence: divergence,
      temperature: temperature
    )
    return headLoss(head, loss, reference, targets, weights, options)
  }

  private func headLoss(
    _ head: HeadMatrix,
    _ loss: RowLoss,
    _ reference: ReferenceLogits?,
    _ targets: [Int32]?,
    _ weights: [Float]?,
    _ options: HeadLossOptions
  ) -> HeadLoss {
    let rows = shape.rows
    require(
      (targets.map { $0.count == rows } ?? true) && (weights.map { $0.count == rows } ?? true),
      "head loss: \(targets?.count ?? rows) targets and \(weights?.count ?? rows) weights for \(rows) rows"
    )
    require(
      targets?.allSatisfy { $0 < head.vocabularySize } ?? true,
      "head loss: a target outside the vocabulary of \(head.vocabularySize)"
    )
    require(
      weights?.allSatisfy { $0 >= 0 && $0.isFinite } ?? true,
      "head loss: a weight is negative or not finite"
    )
    let counted = (0..<rows).map { row in
      (targets?[row] ?? 0) < 0 ? 0 : Double(weights?[row] ?? 1)
    }
    let sum = counted.reduce(0, +)
    let seen = SeenRows(rows)
    let normalized = sum > 0 ? counted.map { $0 / sum } : counted
    let value = headLoss(head: head, options: options) { logits, range, gradientNeeded in
      let part = reference?.logits(of: range)
      let found = loss.apply(
        to: &logits,
        reference: part,
        targets: targets.map { Array($0[range]) },
        weights: Array(normalized[range]),
        gradientNeeded: gradientNeeded
      )
      seen.store(found, range)
      return zip(found, normalized[range]).reduce(0) { sum, row in
        let (found, weight) = row
        guard weight > 0 else { return sum }
        let crossEntropy = loss.crossEntropy == 0 ? 0 : loss.crossEntropy * found.cross_entropy
        return sum + weight * (crossEntropy + loss.distance * found.divergence)
      }
    }
    return seen.summary(value, counted, sum)
  }
}

/// What the kernel said of each row.
private final class SeenRows: @unchecked Sendable {
  private var rows: [slm_row_loss]

  init(_ count: Int) { rows = Array(repeating: slm_row_loss(), count: count) }

  func store(_ found: [slm_row_loss], _ range: Range<Int>) {
    rows.replaceSubrange(range, with: found)
  }

  func summary(_ value: Tensor, _ weights: [Double], _ weightSum: Double) -> HeadLoss {
    let counted = zip(rows, weights).filter { $0.1 > 0 }
    return HeadLoss(
      value: value,
      crossEntropySum: counted.reduce(0) { $0 + $1.1 * $1.0.cross_entropy },
      divergenceSum: counted.reduce(0) { $0 + $1.1 * $1.0.divergence },
      weightSum: weightSum,
      countedRows: counted.count,
      correctRows: counted.count { $0.0.is_first_choice }
    )
  }
}

/// The loss of one row as the kernels know it.
private struct RowLoss {
  var crossEntropy: Double
  var distance: Double
  var divergence: Divergence?
  var temperature: Double

  private func kernelLoss(_ gradientNeeded: Bool) -> slm_loss {
    var loss = slm_loss()
    loss.cross_entropy = crossEntropy
    loss.distance = distance
    loss.temperature = temperature
    loss.gradient = gradientNeeded
    let kind: slm_divergence
    switch divergence {
    case nil: kind = SLM_NO_DIVERGENCE
    case .forwardKL: kind = SLM_FORWARD_KL
    case .reverseKL: kind = SLM_REVERSE_KL
    case .jensenShannon(let beta):
      kind = SLM_JENSEN_SHANNON
      loss.beta = beta
    }
    loss.divergence = Int32(kind.rawValue)
    return loss
  }

  func apply(
    to logits: inout Tensor,
    reference: Tensor?,
    targets: [Int32]?,
    weights: [Double],
    gradientNeeded: Bool
  ) -> [slm_row_loss] {
    if let reference { logits.requirePartner("head loss: reference", reference, logits.shape) }
    logits.makeUnique()
    let (kernel, columns, logits) = (kernelLoss(gradientNeeded), logits.shape.columns, logits)
    var rows = Array(repeating: slm_row_loss(), count: weights.count)
    rows.withUnsafeMutableBufferPointer { rows in
      let shared = Shared((rows: rows, loss: kernel))
      withKernel(weights.count, grain: rowGrain(8 * columns), keeping: [logits, reference]) {
        range in
        let (first, count) = (range.lowerBound, Int64(range.count))
        weights.withUnsafeBufferPointer { weights in
          (targets ?? []).withUnsafeBufferPointer { given in
            guard let weight = weights.baseAddress, let out = shared.pointer.rows.baseAddress
            else { return }
            let target = targets == nil ? nil : given.baseAddress.map { $0 + first }
            let start = first * columns
            withUnsafePointer(to: shared.pointer.loss) { loss in
              if logits.isSingle {
                slm_loss_rows_f32(
                  loss,
                  count,
                  Int64(columns),
                  logits.floats(start),
                  reference.map { UnsafePointer($0.floats(start)) },
                  target,
                  weight + first,
                  out + first
                )
              } else {
                slm_loss_rows_f64(
                  loss,
                  count,
                  Int64(columns),
                  logits.doubles(start),
                  reference.map { UnsafePointer($0.doubles(start)) },
                  target,
                  weight + first,
                  out + first
                )
              }
            }
          }
        }
      }
    }
    return rows
  }
}
