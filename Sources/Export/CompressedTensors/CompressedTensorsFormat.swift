internal import Checkpoints
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
/// transformers reads.
///
/// Codes and scales are those in memory, bit for bit. Codes there are signed; the bits stored for
/// `pack-quantized` are ours. Widths of 3, 5, 6 and 7 bits cross word borders, as the library
/// packs them since version 0.17.
public struct CompressedTensorsFormat: ExportFormat {
  /// How codes are stored.
  public var layout: CompressedLayout
  /// The type of the tensors that are not quantized; nil for the type they have.
  public var type: ElementType?
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    layout: CompressedLayout = .packQuantized,
    type: ElementType? = nil,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
    self.layout = layout
    self.type = type
    self.maximumShardByteCount = maximumShardByteCount
  }

  /// Finds what the format cannot hold.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    for part in promise.parts {
      let columns = part.shape.columns
      let rows = part.shape.rank == 1 ? 1 : part.shape.rows
      if case .groups(let groups) = part.format {
        if let objection = layout.objection(to: groups) {
          plan.problems.append(
            StageProblem("`\(part.name)` is \(groups): \(objection)", option: "layout")
          )
        }
        plan.byteCount += layout.byteCount(groups, rows: rows, columns: columns)
        continue
      }
      if case .blocks(let format) = part.format, type == nil {
        plan.problems.append(
          StageProblem(
            "`\(part.name)` is stored in blocks of \(format.name), which compressed-tensors does "
              + "not have; quantize it by a stage, or give `type` to store it unquantized"
          )
        )
      }
      plan.byteCount += rows * columns * elementType(part.format).byteCount
    }
    plan.byteCount += promise.biasCount * (type?.dtype ?? promise.plainType).byteCount
    if !promise.matrices.contains(where: { if case .groups = $0.format { true } else { false } }) {
      plan.problems.append(
        StageProblem("no matrix is quantized; use `export.huggingface` for a plain folder")
      )
    }
    plan.problems =
      plan.problems.firstOfEachMessage + vocabularyProblems(promise)
      + promise.configuration.problemsInFolders
    plan.notes = readerNotes(promise)
    return plan
  }

  /// Writes the folder.
  public func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    let meter = ErrorMeter()
    let dtype = type?.dtype ?? model.plainType
    var configuration = model.exportedConfiguration(dtype: dtype.rawValue)
    configuration["quantization_config"] = quantizationConfiguration(model)
    var summary = try CheckpointFolderWriter(
      model: model,
      sections: sections(model, meter),
      maximumShardByteCount: maximumShardByteCount
    ).write(configuration, to: url, progress: progress)
    summary.largestError = meter.largest
    return summary
  }

  /// Compares every tensor of the folder with the model, and opens it as a model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    try sections(model, nil).verify(try CheckpointFolder(url.path).open(), at: url.path)
    let written = try ModelLoader.inspect(url)
    for (part, linear) in zip(written.parts.filter(\.isLinear), model.matrices)
    where linear.format.isGrouped && part.format != linear.format {
      throw ExportError(
        .different,
        "read back as \(part.format), not \(linear.format)",
        at: "\(url.path): \(linear.name)",
        remedy: "this is an error of the program; report it"
      )
    }
  }

  /// transformers shares the plain weight of a tied embedding, which a quantized one lacks.
  private func vocabularyProblems(_ promise: ModelPromise) -> [StageProblem] {
    guard promise.configuration.tiesEmbeddings,
      promise["model.embed_tokens"]?.format.isGrouped == true
    else { return [] }
    return [
      StageProblem(
        "`model.embed_tokens` is quantized and is the head as well, which transformers cannot open "
          + "in this format; leave it unquantized, or use `export.gguf`"
      )
    ]
  }

  /// What readers are known not to open.
  private func readerNotes(_ promise: ModelPromise) -> [String] {
    let formats = Set(
      promise.matrices.compactMap { part -> GroupFormat? in
        if case .groups(let groups) = part.format { groups } else { nil }
      }
    )
    var notes: [String] = []
    if formats.contains(where: { $0.zero == .integer }) {
      notes.append(
        formats.count == 1
          ? "transformers 5.23 opens folders with zero points only when told to dequantize"
          : "transformers 5.23 does not open folders with zero points and more than one grid"
      )
    }
    if formats.contains(where: { $0.scaleType != .float32 }) {
      notes.append("transformers widens weights in the type of their scales, and rounds them to it")
    }
    return notes
  }

  private func elementType(_ format: WeightFormat) -> DType {
    if let type { return type.dtype }
    if case .elements(let dtype) = format { return dtype }
    return .float32
  }

  private func sections(_ model: LanguageModel, _ meter: ErrorMeter?) -> [ExportedSection] {
    let (layout, type) = (layout, type?.dtype)
    return model.exportedSections { linear in
      if case .groups(let format) = linear.format { return layout.tensors(linear, format) }
      return [
        ExportedTensor(
          "\(linear.name).weight",
          linear,
          as: .elements(elementType(linear.format)),
          meter: meter
        )
      ]
    } vector: { vector in
      type.map { vector.converted(to: $0) } ?? vector
    }
  }
}

extension ModelPromise {
  /// The type of the first part that is not quantized; vectors have it in all known checkpoints.
  fileprivate var plainType: DType {
    for part in parts { if case .elements(let dtype) = part.format { return dtype } }
    return .float32
  }
}

extension LanguageModel {
  /// The type that most of a model's unquantized numbers have.
  fileprivate var plainType: DType {
    if case .elements(let dtype) = embedding.format { return dtype }
    return finalNorm.weight.dtype
  }
}

extension WeightFormat {
  /// Whether the numbers are codes in groups.
  var isGrouped: Bool { if case .groups = self { true } else { false } }
}

extension [StageProblem] {
  /// Of problems that differ in the name of the matrix only, the first, with the number of others.
  var firstOfEachMessage: [StageProblem] {
    var seen: [String: Int] = [:]
    var kept: [(problem: StageProblem, key: String)] = []
    for problem in self {
      let parts = problem.message.split(
        separator: "`",
        maxSplits: 2,
        omittingEmptySubsequences: false
      )
      let key = parts.count == 3 && parts[0].isEmpty ? String(parts[2]) : problem.message
      if seen[key] == nil { kept.append((problem, key)) }
      seen[key, default: 0] += 1
    }
    return kept.map { problem, key in
      guard let count = seen[key], count > 1 else { return problem }
      let others = count == 2 ? "1 more matrix" : "\(count - 1) more matrices"
      return StageProblem("\(problem.message) (and so for \(others))", option: problem.option)
    }
  }
}
