public import Foundation
public import Models
public import Pipeline

/// A file format that models can be exported to, with its options.
///
/// The work is divided so that every format is written, checked and measured alike: a format
/// decides from headers what each tensor becomes, and lists, for a model, its tensors with the way
/// to make their rows. Writing, comparing and counting are shared.
public protocol ExportFormat: Sendable {
  /// Decides how each part of a model is stored, or says why it cannot be.
  func plan(_ promise: ModelPromise) -> ExportPlan

  /// Finds what the format cannot express of what belongs to a model beside its weights.
  func companionProblems(of model: LanguageModel) -> [StageProblem]

  /// Writes the model.
  ///
  /// - Parameters:
  ///   - model: The model, of the structure that was planned.
  ///   - url: The file, or the folder, which is made.
  ///   - progress: Told after each section how many are done, and of how many.
  /// - Returns: What was written.
  /// - Throws: ``ExportError``, `CheckpointError` or `TokenizerError`.
  func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary

  /// Opens what was written and compares every tensor with the model, byte by byte.
  ///
  /// - Throws: ``ExportError`` with the code `different` that says what differs.
  func verify(_ url: URL, against model: LanguageModel) throws
}

extension ExportFormat {
  /// Files that cannot be read or made; a folder takes them over as they are.
  public func companionProblems(of model: LanguageModel) -> [StageProblem] {
    problems { for file in model.companions.files { _ = try file.read() } }
  }

  /// What some work on a model's companions throws, as a problem.
  func problems(_ work: () throws -> Void) -> [StageProblem] {
    do {
      try work()
      return []
    } catch {
      return [StageProblem(RunError.text(error))]
    }
  }
}

/// What an export will store, known from headers before it starts.
public struct ExportPlan: Sendable {
  /// Why the model cannot be exported so; empty if it can.
  public var problems: [StageProblem] = []
  /// What the reader of a plan should know.
  public var notes: [String] = []
  /// Whether the size follows from headers, so that another one is worth a warning; sizes that
  /// depend on the numbers, such as how many are zero, are estimates.
  public var isSizeExact = true
  /// The size of all tensors, in bytes.
  public var byteCount = 0

  /// Creates an empty plan.
  public init() {}
}

/// What was written.
public struct ExportSummary: Sendable {
  /// The size of all tensors, in bytes.
  public var tensorByteCount = 0
  /// The size of all files, in bytes; a folder's tokenizer and configuration included.
  public var fileByteCount = 0
  /// The number of tensors.
  public var tensorCount = 0
  /// The largest difference between a weight and what is stored for it, over all matrices that
  /// were rounded, with the name of the matrix.
  public var largestError: (name: String, value: Double)?
  /// What the reader of the report should know.
  public var warnings: [String] = []

  /// Creates an empty summary.
  public init() {}
}
