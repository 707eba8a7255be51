package import Tensor

extension LanguageModel {
  /// Computes the mean loss over rows of packed documents, to be differentiated by the model's
  /// parameters.
  ///
  /// Logits exist for a chunk of tokens at a time only.
  ///
  /// - Parameters:
  ///   - tokens: The inputs of `rows` sequences, one after another, `[B · T]`.
  ///   - targets: The token to be predicted from each, −1 where none counts, `[B · T]`.
  ///   - rows: The number of sequences `B`.
  ///   - documentStarts: As ``trainingHidden(_:rows:documentStarts:recomputation:blockTap:)`` takes it.
  ///   - recomputation: What the backward pass computes again.
  /// - Returns: The mean of `−log p(target)` over counted targets in nats, `[]`.
  package func trainingLoss(
    _ tokens: [Int32],
    targets: [Int32],
    rows: Int,
    documentStarts: [Int32]? = nil,
    recomputation: Recomputation = .none
  ) -> Tensor {
    let hidden = trainingHidden(
      tokens,
      rows: rows,
      documentStarts: documentStarts,
      recomputation: recomputation
    )
    return loss(hidden, targets: targets)
  }

  /// Computes the mean loss of predictions from residual streams, to be differentiated by those.
  ///
  /// - Parameters:
  ///   - stream: The residual stream after the last block, `[B, T, D]`.
  ///   - targets: The token to be predicted from each, −1 where none counts, `[B · T]`.
  /// - Returns: The mean of `−log p(target)` over counted targets in nats, `[]`.
  package func loss(afterLastBlock stream: Tensor, targets: [Int32]) -> Tensor {
    loss(finalNorm(stream).reshaped([targets.count, configuration.hiddenSize]), targets: targets)
  }

  private func loss(_ hidden: Tensor, targets: [Int32]) -> Tensor {
    var options = HeadLossOptions()
    options.precision = head.precision
    return hidden.headCrossEntropy(head: head.headMatrix, targets: targets, options: options).value
  }
}
