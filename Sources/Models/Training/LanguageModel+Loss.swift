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
    var options = HeadLossOptions()
    options.precision = head.precision
    return hidden.headCrossEntropy(head: head.headMatrix, targets: targets, options: options).value
  }
}
