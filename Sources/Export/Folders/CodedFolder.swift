internal import Checkpoints
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// A Hugging Face folder in which matrices are integer codes, in one of the formats that there are.
struct CodedFolder<Coding: MatrixCoding> {
  let coding: Coding
  let maximumShardByteCount: Int

  /// Finds what the format cannot hold.
  func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    for part in promise.parts {
      switch part.format {
      case .groups(let groups):
        if let problem = objection(part) {
          plan.problems.append(problem)
        } else {
          plan.byteCount += coding.byteCount(part, groups)
        }
        continue
      case .blocks(let format) where coding.plainType == nil:
        plan.problems.append(
          StageProblem(
            "`\(part.name)` is stored in blocks of \(format.name), which \(coding.name) does not "
              + "have; quantize it by a stage, or give `type` to store it unquantized"
          )
        )
      default: break
      }
      plan.byteCount += part.shape.count * elementType(part.format).byteCount
    }
    plan.byteCount += promise.biasCount * (coding.plainType ?? promise.plainType).byteCount
    if !promise.matrices.contains(where: \.format.isGrouped) {
      plan.problems.append(
        StageProblem("no matrix is quantized; use `export.huggingface` for a plain folder")
      )
    }
    plan.problems =
      plan.problems.firstOfEachMessage + coding.problems(promise)
      + promise.configuration.problemsInFolders
    plan.notes = coding.notes(promise)
    return plan
  }

  /// Why the format cannot hold a matrix, in one of the formats that it may get.
  private func objection(_ part: ModelPromise.Part) -> StageProblem? {
    for case .groups(let groups) in part.expectedFormats {
      guard let problem = coding.problem(part, groups) else { continue }
      let verb = part.possibleFormats.isEmpty ? "is" : "may become"
      return StageProblem(
        "`\(part.name)` \(verb) \(groups): \(problem.message)",
        option: problem.option
      )
    }
    return nil
  }

  /// Writes the folder.
  func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    let meter = ErrorMeter()
    let dtype = coding.plainType ?? model.plainType
    var configuration = model.exportedConfiguration(dtype: dtype.rawValue)
    let files = coding.configure(&configuration, model)
    var summary = try CheckpointFolderWriter(
      model: model,
      sections: sections(model, meter),
      maximumShardByteCount: maximumShardByteCount,
      files: files
    ).write(configuration, to: url, progress: progress)
    summary.largestError = meter.largest
    return summary
  }

  /// Compares every tensor of the folder with the model, and opens it as a model.
  func verify(_ url: URL, against model: LanguageModel) throws {
    try sections(model, nil).verify(try CheckpointFolder(url.path).open(), at: url.path)
    let written = try ModelLoader.inspect(url)
    for (part, linear) in zip(written.parts.filter(\.isLinear), model.matrices) {
      guard case .groups(let groups) = linear.format else { continue }
      var expected = coding.stored(groups, columns: linear.columns)
      // Zero points that all are the middle code may be read as what they mean.
      if case .groups(let read) = part.format, read.zero == .symmetric, expected.zero == .integer {
        expected.zero = .symmetric
      }
      if part.format != .groups(expected) {
        throw ExportError(
          .different,
          "read back as \(part.format), not \(expected)",
          at: "\(url.path): \(linear.name)",
          remedy: "this is an error of the program; report it"
        )
      }
    }
  }

  /// The type in which numbers are stored that are no codes.
  func elementType(_ format: WeightFormat) -> DType {
    if let type = coding.plainType { return type }
    if case .elements(let dtype) = format { return dtype }
    return .float32
  }

  private func sections(_ model: LanguageModel, _ meter: ErrorMeter?) -> [ExportedSection] {
    model.exportedSections { linear in
      if case .groups(let groups) = linear.format { return coding.tensors(linear, groups, meter) }
      let encoding = TensorEncoding.elements(elementType(linear.format))
      return [ExportedTensor("\(linear.name).weight", linear, as: encoding, meter: meter)]
    } vector: { vector in
      coding.plainType.map { vector.converted(to: $0) } ?? vector
    }
  }
}

extension ModelPromise {
  /// The type of the first part that is not quantized; vectors have it in all known checkpoints.
  var plainType: DType {
    for part in parts { if case .elements(let dtype) = part.format { return dtype } }
    return .float32
  }

  /// The formats of the matrices that are codes in groups, in the model's order.
  var groupFormats: [GroupFormat] {
    matrices.compactMap { part in
      if case .groups(let groups) = part.format { groups } else { nil }
    }
  }

  /// A note on layers whose inputs are quantized, for a format that cannot say so.
  func activationNotes(_ format: String) -> [String] {
    let count = parts.filter { $0.activation != nil }.count
    guard count > 0 else { return [] }
    let layers = Wording.count(count, "layer has", "layers have")
    return ["\(layers) quantized inputs, which \(format) cannot say: readers keep them plain"]
  }

  /// Why embedding or head cannot be quantized in a format that holds the layers of blocks only.
  func vocabularyProblems(_ format: String) -> [StageProblem] {
    matrices.filter { $0.format.isGrouped && !$0.name.hasPrefix("model.layers.") }.map {
      StageProblem(
        "`\($0.name)` is quantized, and \(format) folders have plain embeddings and heads; leave "
          + "it unquantized, or use `export.mlx` or `export.gguf`"
      )
    }
  }
}

extension LanguageModel {
  /// The type that most of a model's unquantized numbers have.
  var plainType: DType {
    if case .elements(let dtype) = embedding.format { return dtype }
    return finalNorm.weight.dtype
  }

  /// The formats of the matrices that are codes in groups, in the model's order.
  var groupFormats: [GroupFormat] {
    matrices.compactMap { linear in
      if case .groups(let groups) = linear.format { groups } else { nil }
    }
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

extension Sequence where Element: Hashable {
  /// The element that is there most often, of several the first; nil if there is none.
  var mostFrequent: Element? {
    var counts: [Element: Int] = [:]
    var order: [Element] = []
    for element in self {
      if counts[element] == nil { order.append(element) }
      counts[element, default: 0] += 1
    }
    let most = counts.values.max()
    return order.first { counts[$0] == most }
  }
}
