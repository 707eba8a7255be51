internal import Checkpoints
internal import Datasets
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// Keeps a baseline's outputs on a text for ``ReferenceOutputs/init(keptIn:of:for:)``.
struct ReferenceWriter: ~Copyable {
  private let folder: URL
  private let description: ReferenceOutputs.Store.Description
  private var writer: SafetensorsWriter

  /// Prepares to keep the outputs of a model in a folder.
  ///
  /// - Throws: `CheckpointError` or an error of the file system if writing fails.
  init(_ model: LanguageModel, text: EvaluationText, folder: URL) throws {
    typealias Store = ReferenceOutputs.Store
    self.folder = folder
    description = Store.Description(
      text: text.name,
      kind: text.kind.rawValue,
      context: text.windows.length,
      beginning: text.beginning
    )
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let tokens = text.windows.tokens
    var writer = try SafetensorsWriter(
      path: folder.appending(path: Store.statesFile).path,
      tensors: [
        TensorDeclaration("tokens", dtype: .int32, shape: [tokens.count]),
        TensorDeclaration(
          "states",
          dtype: .float32,
          shape: [text.countedTotal, model.configuration.hiddenSize]
        ),
      ]
    )
    try writer.append(Tensor(tokens), to: "tokens")
    self.writer = writer
  }

  /// Keeps a window's hidden states at the counted positions, `[counted, D]`.
  mutating func append(_ states: Tensor) throws { try writer.append(states, to: "states") }

  /// Completes the file; only then can the outputs be used.
  consuming func finish() throws {
    try writer.finish()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = folder.appending(path: ReferenceOutputs.Store.descriptionFile)
    try encoder.encode(description).write(to: file, options: .atomic)
  }
}
