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
  /// `KL(p ‖ α·p + (1−α)·q)`, for `α` in `0..<1`: forward KL whose gradient stays bounded where
  /// the student has next to nothing.
  ///
  /// Source: Ko et al., *DistiLLM*, 2024, arXiv:2402.03898, section 3.1.
  case skewForward(alpha: Double)
  /// `KL(q ‖ (1−α)·p + α·q)`, for `α` in `0..<1`.
  ///
  /// Source: Ko et al., *DistiLLM*, 2024, arXiv:2402.03898, section 3.1.
  case skewReverse(alpha: Double)
  /// `½ · Σ |p − q|`. Where `p = q` its derivative is taken for 0.
  ///
  /// Source: Wen et al., *f-Divergence Minimization for Sequence-Level Knowledge Distillation*,
  /// 2023, arXiv:2307.15190, section 3.2, by words instead of sequences.
  case totalVariation

  /// Whether the mixture's share is in range.
  var isValid: Bool {
    switch self {
    case .jensenShannon(let beta): beta > 0 && beta < 1
    case .skewForward(let alpha), .skewReverse(let alpha): alpha >= 0 && alpha < 1
    case .forwardKL, .reverseKL, .totalVariation: true
    }
  }
}

/// What a teacher says of a chunk of rows.
enum ReferenceChunk {
  /// `[rows, V']`.
  case logits(Tensor)
  case mostLikely(MostLikelyTokens, Range<Int>)

  var logits: Tensor? {
    if case .logits(let logits) = self { logits } else { nil }
  }
}

/// Where a chunk of a teacher's logits comes from.
public enum ReferenceLogits {
  /// The teacher's hidden states, `[..., D']` with as many rows as the student's, and its head.
  case head(hidden: Tensor, matrix: HeadMatrix)
  /// Called with ranges of rows, returns their logits, `[rows, V]`, of the student's dtype.
  case rows((Range<Int>) -> Tensor)
  /// What is known in place of logits, at the temperature of the loss, with as many rows as the
  /// student's.
  case mostLikely(MostLikelyTokens)

  /// What is known of some rows; of logits the common tokens if they have other ids.
  func chunk(_ rows: Range<Int>, _ common: CommonTokens?) -> ReferenceChunk {
    let logits: Tensor
    switch self {
    case .head(let hidden, let matrix):
      let states = hidden.detached.reshaped([hidden.shape.rows, hidden.shape.columns])
      logits = matrix.logits(of: states.rows(rows))
    case .rows(let body): logits = body(rows).detached
    case .mostLikely(let tokens): return .mostLikely(tokens, rows)
    }
    return .logits(common?.reference(logits) ?? logits)
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
      RowLoss(crossEntropy: 1, distance: 0, divergence: nil, temperature: 1, common: 0),
      nil,
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
  /// the temperature changes. Where the two vocabularies differ, `D` is between the distributions
  /// over the tokens that both have: the first ones, or those of a list.
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
  ///   - commonVocabulary: How many first tokens both models have; all of the student's if nil.
  ///   - commonTokens: The tokens that both models have, if their ids differ; in place of
  ///     `commonVocabulary`. A reference's most likely tokens are then numbered by their places in
  ///     it.
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
    commonVocabulary: Int? = nil,
    commonTokens: CommonTokens? = nil,
    options: HeadLossOptions = HeadLossOptions()
  ) -> HeadLoss {
    require(temperature > 0, "head divergence: temperature \(temperature) is not above 0")
    require(
      (0...1).contains(crossEntropyShare) && (crossEntropyShare == 0 || targets != nil),
      "head divergence: a share \(crossEntropyShare) of cross-entropy without targets or outside 0...1"
    )
    require(divergence.isValid, "head divergence: \(divergence) is out of range")
    let common = commonTokens?.count ?? commonVocabulary ?? head.vocabularySize
    require(
      (1...head.vocabularySize).contains(common)
        && commonTokens?.student.allSatisfy { $0 < head.vocabularySize } ?? true,
      "head divergence: \(common) common tokens of \(head.vocabularySize)"
    )
    if case .mostLikely(let tokens) = reference {
      require(
        tokens.rows == shape.rows
          && tokens.tokens.allSatisfy { $0 >= 0 && $0 < common },
        "head divergence: tokens of \(tokens.rows) rows, or some outside \(common), for \(shape)"
      )
    }
    let loss = RowLoss(
      crossEntropy: crossEntropyShare,
      distance: (1 - crossEntropyShare) * temperature * temperature,
      divergence: divergence,
      temperature: temperature,
      common: common
    )
    return headLoss(head, loss, reference, commonTokens, targets, weights, options)
  }

  private func headLoss(
    _ head: HeadMatrix,
    _ loss: RowLoss,
    _ reference: ReferenceLogits?,
    _ common: CommonTokens?,
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
    let order = common?.order(vocabulary: head.vocabularySize)
    let columns = targets.map { targets in
      order.map { order in targets.map { $0 < 0 ? $0 : order.places[Int($0)] } } ?? targets
    }
    let normalized = sum > 0 ? counted.map { $0 / sum } : counted
    let value = headLoss(head: head, options: options) { logits, range, gradientNeeded in
      let part = reference?.chunk(range, common)
      if let order { logits = logits.gathered(columns: order.columns) }
      let found = loss.apply(
        to: &logits,
        reference: part,
        targets: columns.map { Array($0[range]) },
        weights: Array(normalized[range]),
        gradientNeeded: gradientNeeded
      )
      if let order, gradientNeeded { logits = logits.gathered(columns: order.places) }
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
