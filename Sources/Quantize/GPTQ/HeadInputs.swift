internal import Calibrate
internal import Models
internal import Pipeline
internal import Tensor

/// What rounding errors of a model's head cost.
///
/// The outputs of the head are fitted as those of any layer. Where its matrix is the embedding too,
/// errors also enter the residual stream, in which all columns are alike: there the identity is
/// added to the Gram matrix, ``tiedShare`` times its mean diagonal element.
struct HeadInputs {
  /// How much errors of the embedding count beside those of the head, measured on SmolLM2-135M.
  static let tiedShare = 0.3

  /// The Gram matrix that errors are measured by, `[D, D]`, `float64`.
  let gram: Tensor?

  /// Takes the inputs of a model's head.
  init(_ model: LanguageModel, _ statistics: InputStatistics) {
    guard let gram = statistics.gram, model.untiedHead == nil else {
      self.gram = statistics.gram
      return
    }
    self.gram = gram.withDiagonal(raisedBy: Self.tiedShare)
  }
}

extension CalibrationOptions {
  /// The most bytes that fitting matrices to their inputs needs, the head's if that is among them.
  func fittingByteCount(_ parts: [ModelPromise.Part], _ promise: ModelPromise) -> Int {
    let blocks = peakByteCount(promise, collectsGram: true)
    let head =
      parts.first { $0.name == "lm_head" } ?? parts.first { $0.name == "model.embed_tokens" }
    guard let head else { return blocks }
    let (tokens, width) = (tokenCount, head.shape.columns)
    // The residual stream, and three matrices of inputs.
    let inputs = min(4 * tokens * width, memory.byteCount) + 3 * 8 * width * width
    return max(blocks, inputs + gptqByteCount(head.shape))
  }
}

extension Tensor {
  /// Returns a square matrix of `float64` with `share` times the mean of its diagonal added there.
  fileprivate func withDiagonal(raisedBy share: Double) -> Tensor {
    let width = shape[0]
    let addend = share * diagonal.elements(as: Double.self).reduce(0, +) / Double(max(1, width))
    var result = copied()
    result.withMutableElements(as: Double.self) { all in
      for index in 0..<width { all[index * width + index] += addend }
    }
    return result
  }
}
