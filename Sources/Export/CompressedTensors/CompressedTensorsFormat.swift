public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// How codes are stored in a compressed-tensors folder.
public enum CompressedLayout: String, RecipeChoice {
  case packQuantized = "pack-quantized"
  case intQuantized = "int-quantized"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .packQuantized: "codes of 2 to 8 bits packed into 32-bit words"
    case .intQuantized: "codes of 8 bits, one scale per row, as signed bytes"
    }
  }
}

/// A Hugging Face folder with integer codes in the format of the compressed-tensors library, which
/// transformers and vLLM read.
///
/// Codes and scales are those in memory, bit for bit. Codes there are signed; the bits stored for
/// `pack-quantized` are ours. Codes of 3, 5, 6 and 7 bits cross the borders of words, as the library
/// packs them since version 0.18; earlier ones leave bits of a word unused. Layers whose inputs are quantized say so in `input_activations`;
/// a scale that all inputs share is the tensor `input_scale`. A folder with both layouts is of the
/// format `mixed-precision`.
///
/// With `sparse`, matrices of which many codes stand for zero are stored in a format of our own,
/// `sparse-pack-quantized`, that no other program reads; see docs/sparse-format.md.
public struct CompressedTensorsFormat: ExportFormat {
  /// How codes are stored; nil for `int-quantized` where inputs are quantized, else packed.
  public var layout: CompressedLayout?
  /// The type of the tensors that are not quantized; nil for the type they have.
  public var type: ElementType?
  /// How codes of which many stand for zero are stored.
  public var sparse: SparseCodeStorage
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    layout: CompressedLayout? = nil,
    type: ElementType? = nil,
    sparse: SparseCodeStorage = .none,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
    self.layout = layout
    self.type = type
    self.sparse = sparse
    self.maximumShardByteCount = maximumShardByteCount
  }

  /// Finds what the format cannot hold.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = folder([:]).plan(promise)
    plan.isSizeExact = sparse == .none
    return plan
  }

  /// Writes the folder.
  public func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    try folder(sparseMatrices(model)).write(model, to: url, progress: progress)
  }

  /// Compares every tensor of the folder with the model, and opens it as a model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    let sparseMatrices = try sparseMatrices(model)
    try folder(sparseMatrices).verify(url, against: model)
    let written = try ModelLoader.load(url)
    func different(_ problem: String, _ linear: Linear) -> ExportError {
      ExportError(
        .different,
        problem,
        at: "\(url.path): \(linear.name)",
        remedy: "this is an error of the program; report it"
      )
    }
    for (read, linear) in zip(written.matrices, model.matrices) {
      guard read.activation == linear.activation else {
        throw different("how inputs are quantized was not read back", linear)
      }
      guard sparseMatrices[linear.name] != nil else { continue }
      let (codes, original) = (read.weight.groupCodes, linear.weight.groupCodes)
      guard codes == original, codes != nil else {
        throw different("the codes put together from places differ", linear)
      }
      read.release()
      linear.release()
    }
  }

  /// The matrices that take less room when their zeros are left out.
  private func sparseMatrices(_ model: LanguageModel) throws -> [String: SparseCodesExport] {
    guard sparse != .none else { return [:] }
    let coding = folder([:]).coding
    var found: [String: SparseCodesExport] = [:]
    for linear in model.matrices {
      guard case .groups(let groups) = linear.format else { continue }
      let dense = coding.layout(linear.activation?.kind)
        .byteCount(groups, rows: linear.rows, columns: linear.columns)
      found[linear.name] = SparseCodesExport(linear, groups, smallerThan: dense)
    }
    return found
  }

  func folder(
    _ sparseMatrices: [String: SparseCodesExport]
  ) -> CodedFolder<CompressedTensorsCoding> {
    CodedFolder(
      coding: CompressedTensorsCoding(
        chosenLayout: layout,
        plainType: type?.dtype,
        sparse: sparse,
        sparseMatrices: sparseMatrices
      ),
      maximumShardByteCount: maximumShardByteCount
    )
  }
}
