public import Foundation
public import Models
internal import Pipeline

/// Writes a model in a format: checks, writes beside the goal, compares, and puts in place.
///
/// ```swift
/// let model = try ModelLoader.load(URL(filePath: "SmolLM2-135M"))
/// let conversion = ModelConversion(model, to: GGUFFormat(type: .q8_0))
/// guard conversion.plan.problems.isEmpty else { … }
/// let summary = try conversion.write(to: URL(filePath: "SmolLM2-135M-Q8_0.gguf"))
/// ```
public struct ModelConversion {
  private let model: LanguageModel
  private let format: any ExportFormat

  /// Prepares a conversion.
  public init(_ model: LanguageModel, to format: any ExportFormat) {
    self.model = model
    self.format = format
  }

  /// What will be stored, and what stands against it.
  public var plan: ExportPlan { format.plan(ModelPromise(model.outline)) }

  /// Writes the file or folder.
  ///
  /// It appears under its name only when it is complete and has been compared with the model.
  ///
  /// - Parameters:
  ///   - url: The file or folder; what is there is replaced.
  ///   - progress: Told after each section how many are done, and of how many.
  /// - Returns: What was written.
  /// - Throws: ``ExportError`` if the format cannot hold the model, if what was written differs
  ///   from it, or if it cannot be put in place; errors of reading and writing.
  public func write(
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> ExportSummary {
    if let problem = plan.problems.first {
      throw ExportError(
        .unsupported,
        problem.message,
        at: url.path,
        remedy: "choose another type or format"
      )
    }
    // The ending stays, as files are told apart by it.
    let number = UInt32.random(in: 0...UInt32.max)
    let temporary = url.deletingLastPathComponent()
      .appending(path: ".\(number).\(url.lastPathComponent)")
    defer { try? FileManager.default.removeItem(at: temporary) }
    let summary = try format.write(model, to: temporary, progress: progress)
    try format.verify(temporary, against: model)
    try put(temporary, at: url)
    return summary
  }

  private func put(_ temporary: URL, at url: URL) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    // A folder cannot be renamed over another one.
    if exists && isFolder.boolValue { try FileManager.default.removeItem(at: url) }
    guard rename(temporary.path, url.path) == 0 else {
      throw ExportError(
        .unwritable,
        String(cString: strerror(errno)),
        at: url.path,
        remedy: "choose another place"
      )
    }
  }
}
