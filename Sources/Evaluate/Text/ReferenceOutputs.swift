internal import Checkpoints
internal import Datasets
public import Foundation
public import Models
internal import Pipeline
internal import Tensor

/// What a model is compared with: the outputs of another on the same text.
public struct ReferenceOutputs {
  /// What the reference is called in errors.
  let name: String
  let head: Linear
  /// The normalized hidden states at the counted positions of a window, `[counted, D]`.
  let states: (_ window: Int) throws -> Tensor

  /// A reference that computes its outputs window by window.
  ///
  /// - Throws: ``EvaluateError`` if the text has tokens that the reference does not know.
  public init(_ model: LanguageModel, on text: EvaluationText) throws {
    try text.requireVocabulary(model.configuration.vocabularySize, of: model.companions.name)
    name = model.companions.name
    head = model.head
    states = { model.countedStates(text, $0) }
  }
}

// MARK: - Kept outputs

extension ReferenceOutputs {
  /// A baseline's hidden states in a folder, so that later models are compared without running
  /// the baseline again.
  ///
  /// `states.safetensors` holds `states` `[counted tokens, D]` and the text's `tokens`. Logits are
  /// multiplied from the states again, with the baseline's own head, which gives the very same
  /// numbers: that takes `2 · D` operations per logit and `D / V` of the logits' storage, 1/85 in
  /// a model with D = 576 and V = 49,152.
  public enum Store {
    static let statesFile = "states.safetensors"
    static let descriptionFile = "reference.json"

    struct Description: Codable {
      var version = 1
      var text: String
      var kind: String
      var context: Int
      var beginning: Int32?
    }
  }

  /// Opens kept outputs, with the model they came from for its head.
  ///
  /// ``TextEvaluation/measureReference(_:keepingOutputsIn:progress:)`` keeps them.
  ///
  /// - Parameters:
  ///   - folder: The folder with the outputs.
  ///   - model: The file or folder where the model is at present.
  ///   - text: The text to compare on; it must be the one the outputs were computed on.
  /// - Throws: ``EvaluateError`` if the outputs are missing, or of another text or protocol;
  ///   `ModelError` or `CheckpointError` if the model cannot be opened.
  public init(keptIn folder: URL, of model: URL, for text: EvaluationText) throws {
    let description = try Self.description(in: folder)
    guard description.kind == text.kind.rawValue, description.context == text.windows.length,
      description.beginning == text.beginning
    else {
      throw Self.unusable(
        "they were computed by protocol \(description.kind) with a context of "
          + "\(description.context)",
        folder
      )
    }
    let file = try SafetensorsFile(path: folder.appending(path: Store.statesFile).path)
    let tokens = try file.tensor("tokens")
    try Self.requireSame(tokens, text, folder)
    let model = try ModelLoader.load(model)
    let states = try file.tensor("states")
    let width = model.configuration.hiddenSize
    guard states.dtype == .float32, states.shape == [text.countedTotal, width] else {
      throw Self.unusable("they do not belong to \(model.companions.name)", folder)
    }
    name = model.companions.name
    head = model.head
    let count = text.counted.count
    self.states = { states.rows($0 * count..<($0 + 1) * count) }
  }

  private static func description(in folder: URL) throws -> Store.Description {
    do {
      let data = try Data(contentsOf: folder.appending(path: Store.descriptionFile))
      return try JSONDecoder().decode(Store.Description.self, from: data)
    } catch {
      throw unusable("they are missing or damaged", folder)
    }
  }

  private static func requireSame(
    _ tokens: Tensor,
    _ text: EvaluationText,
    _ folder: URL
  ) throws(EvaluateError) {
    let kept = tokens.dtype == .int32 ? tokens.elements(as: Int32.self) : []
    guard kept != text.windows.tokens else { return }
    let same = zip(kept, text.windows.tokens).prefix { $0 == $1 }.count
    throw EvaluateError(
      .notComparable,
      "the model's tokenizer gives \(text.windows.tokens.count) tokens that differ from the "
        + "baseline's \(kept.count) from token \(same) on",
      at: text.name,
      remedy: "compare models with the same tokenizer, or measure perplexity only"
    )
  }

  private static func unusable(_ problem: String, _ folder: URL) -> EvaluateError {
    EvaluateError(
      .referenceUnusable,
      "the baseline's outputs cannot be used: \(problem)",
      at: folder.path,
      remedy: "remove the folder, so that the baseline is measured again"
    )
  }
}
