internal import Datasets
public import Foundation
public import Models
internal import Tensor

/// Measures a model on a text: perplexity, and agreement with a reference.
///
/// ```swift
/// let tokens = try model.tokenizer().encode(text)
/// let text = try EvaluationText(tokens: tokens, name: "wiki.txt", kind: .windows, context: 512)
/// let result = try TextEvaluation(text).measure(model, against: reference)
/// print(result.perplexity.value, result.agreement?.distance.meanDivergence ?? 0)
/// ```
///
/// One window runs at a time, and its logits exist only in slices of the vocabulary. Results do
/// not depend on the number of threads.
public struct TextEvaluation {
  /// What a measurement gives.
  public struct Result: Sendable, Hashable, Codable {
    /// How well the model predicts the text.
    public let perplexity: Perplexity
    /// How far it is from the reference; nil without one.
    public let agreement: Agreement?
    /// How far it is at least from the reference whose most likely tokens were kept; nil without.
    public let keptAgreement: KeptAgreement?
    /// Tokens of all windows, counted or not, per second; the time of a reference that runs beside
    /// the model is included.
    public let tokensPerSecond: Double
  }

  /// The text.
  public let text: EvaluationText

  /// Prepares to measure on a text.
  public init(_ text: EvaluationText) { self.text = text }

  /// Runs a model over the text.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - reference: What to compare its outputs with; nil for perplexity only.
  ///   - progress: Called after every window with the number of tokens done and the rate.
  /// - Returns: The measured numbers.
  /// - Throws: ``EvaluateError`` if the model does not know a token, or computes numbers that are
  ///   not finite; the latter names window and layer.
  /// - Complexity: About `2` operations per weight and token. Beyond the model one window's
  ///   activations and `8192` of each position's logits, twice with a reference.
  public func measure(
    _ model: LanguageModel,
    against reference: ReferenceOutputs? = nil,
    progress: (_ done: Int, _ rate: ProgressRate) -> Void = { _, _ in }
  ) throws -> Result {
    try run(model, against: reference, nil, progress: progress) { _ in }
  }

  /// Runs a model over the text, and compares it with what is kept of a reference.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - kept: The reference's most likely tokens.
  ///   - progress: Called after every window with the number of tokens done and the rate.
  /// - Returns: The measured numbers, with ``Result/keptAgreement``.
  /// - Throws: ``EvaluateError`` as measuring without a reference, and if what is kept is
  ///   damaged or of another vocabulary.
  /// - Complexity: As measuring without a reference, and about twice the
  ///   passes over the logits.
  public func measure(
    _ model: LanguageModel,
    against kept: KeptOutputs,
    progress: (_ done: Int, _ rate: ProgressRate) -> Void = { _, _ in }
  ) throws -> Result {
    try run(model, against: nil, kept, progress: progress) { _ in }
  }

  /// Runs a model over the text, and keeps its outputs for later comparisons.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - folder: Where to keep the outputs.
  ///   - progress: Called after every window with the number of tokens done and the rate.
  /// - Returns: The measured numbers, without agreement.
  /// - Throws: As measuring without a reference, and an error of the file system.
  public func measureReference(
    _ model: LanguageModel,
    keepingOutputsIn folder: URL,
    progress: (_ done: Int, _ rate: ProgressRate) -> Void = { _, _ in }
  ) throws -> Result {
    var writer = try ReferenceWriter(model, text: text, folder: folder)
    let result = try run(model, against: nil, nil, progress: progress) {
      try writer.append($0)
    }
    try writer.finish()
    return result
  }

  private func run(
    _ model: LanguageModel,
    against reference: ReferenceOutputs?,
    _ kept: KeptOutputs?,
    progress: (Int, ProgressRate) -> Void,
    keep: (Tensor) throws -> Void
  ) throws -> Result {
    try text.requireVocabulary(model.configuration.vocabularySize, of: model.companions.name)
    if let reference { try requireSameVocabulary(model, reference.head.rows, reference.name) }
    if let kept { try requireSameVocabulary(model, kept.vocabulary, kept.name) }
    var samples = Samples(unit: text.unit)
    var rate = ProgressRate(total: text.windows.tokens.count)
    for window in 0..<text.windows.count {
      let states = model.countedStates(text, window)  // [counted, D]
      if let kept {
        try measure(window, states, model, kept, &samples)
      } else {
        try measure(window, states, model, reference, &samples)
      }
      try keep(states)
      let done = (window + 1) * text.windows.length
      rate.update(done: done)
      progress(done, rate)
    }
    return Result(
      perplexity: Perplexity(samples.losses),
      agreement: reference.map { _ in
        Agreement(samples.distance, increases: samples.increases)
      },
      keptAgreement: kept.map {
        KeptAgreement(samples.distance, keptProbability: samples.kept.mean, topK: $0.topK)
      },
      tokensPerSecond: rate.perSecond
    )
  }

  private func measure(
    _ window: Int,
    _ states: Tensor,
    _ model: LanguageModel,
    _ reference: ReferenceOutputs?,
    _ samples: inout Samples
  ) throws {
    let targets = text.targets(window)
    guard let reference else {
      let losses = VocabularyScan.losses(states, model.head, targets: targets)
      try requireFinite(losses, window, model)
      samples.losses.add(losses)
      return
    }
    let tokens = VocabularyScan.comparisons(
      states,
      model.head,
      reference: try reference.states(window),
      reference.head,
      targets: targets
    )
    try requireFinite(tokens.map(\.loss), window, model)
    try requireFinite(tokens.flatMap { [$0.referenceLoss, $0.divergence] }, window, reference)
    samples.losses.add(tokens.map(\.loss))
    samples.divergences.add(tokens.map { max(0, $0.divergence) })
    samples.agreements.add(tokens.map { $0.agrees ? 1 : 0 })
    samples.increases.add(tokens.map { $0.loss - $0.referenceLoss })
  }

  private func measure(
    _ window: Int,
    _ states: Tensor,
    _ model: LanguageModel,
    _ kept: KeptOutputs,
    _ samples: inout Samples
  ) throws {
    let known = try kept.tokens(window)
    let tokens = VocabularyScan.comparisons(
      states,
      model.head,
      kept: known,
      targets: text.targets(window)
    )
    try requireFinite(tokens.map(\.loss), window, model)
    try requireFinite(tokens.map(\.divergence), window, model)
    samples.losses.add(tokens.map(\.loss))
    samples.divergences.add(tokens.map { max(0, $0.divergence) })
    samples.agreements.add(tokens.map { $0.agrees ? 1 : 0 })
    samples.kept.add(known.rest.map { 1 - Double($0) })
  }

  private struct Samples {
    var losses: SampleStatistics
    var divergences: SampleStatistics
    var agreements: SampleStatistics
    var increases: SampleStatistics
    var kept: SampleStatistics

    var distance: PredictionDistance {
      PredictionDistance(divergences: divergences, agreements: agreements)
    }

    init(unit: SampleStatistics.Unit) {
      losses = SampleStatistics(unit: unit)
      (divergences, agreements, increases, kept) = (losses, losses, losses, losses)
    }
  }
}

// MARK: - Errors

extension TextEvaluation {
  private func requireSameVocabulary(
    _ model: LanguageModel,
    _ rows: Int,
    _ name: String
  ) throws(EvaluateError) {
    guard model.head.rows != rows else { return }
    throw EvaluateError(
      .notComparable,
      "the model has \(model.head.rows) tokens, the reference \(name) has \(rows)",
      at: model.companions.name,
      remedy: "compare models with the same vocabulary"
    )
  }

  private func requireFinite(
    _ values: [Double],
    _ window: Int,
    _ model: LanguageModel
  ) throws(EvaluateError) {
    guard !values.allSatisfy(\.isFinite) else { return }
    let place = model.firstNotFinite(text, window)
    throw EvaluateError(
      .notFinite,
      "\(place) has NaN or infinite numbers in window \(window) of \(text.name)",
      at: model.companions.name,
      remedy: "look at the weights before this layer; a compression step may have broken them"
    )
  }

  private func requireFinite(
    _ values: [Double],
    _ window: Int,
    _ reference: ReferenceOutputs
  ) throws(EvaluateError) {
    guard !values.allSatisfy(\.isFinite) else { return }
    throw EvaluateError(
      .notFinite,
      "the reference's logits are not finite in window \(window) of \(text.name)",
      at: reference.name,
      remedy: "choose another reference; this one is damaged"
    )
  }
}
