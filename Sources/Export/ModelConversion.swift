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
  public var plan: ExportPlan {
    var plan = format.plan(ModelPromise(model.outline))
    plan.problems += format.companionProblems(of: model)
    return plan
  }

  /// Writes the file or folder.
  ///
  /// It appears under its name only when it is complete and has been compared with the model.
  ///
  /// - Parameters:
  ///   - url: The file or folder. A file that is there is replaced by a file, and a model folder
  ///     by what is written; anything else is refused.
  ///   - progress: Told after each section how many are done, and of how many.
  /// - Returns: What was written.
  /// - Throws: ``ExportError`` if the format cannot hold the model, if what is there must not be
  ///   replaced, if what was written differs from the model, or if it cannot be put in place; errors
  ///   of reading and writing.
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
    try requireReplaceable(url)
    // The ending stays, as files are told apart by it.
    let number = UInt32.random(in: 0...UInt32.max)
    let temporary = url.deletingLastPathComponent()
      .appending(path: ".\(number).\(url.lastPathComponent)")
    let replaced = url.deletingLastPathComponent()
      .appending(path: ".\(number).replaced.\(url.lastPathComponent)")
    defer { try? FileManager.default.removeItem(at: temporary) }
    let summary = try format.write(model, to: temporary, progress: progress)
    try format.verify(temporary, against: model)
    // What was written decides whether a file or a folder is put in place.
    if FileTree.exists(url), FileTree.isFolder(temporary), !FileTree.isFolder(url) {
      throw occupied(url, "there is a file, and a folder was to be written")
    }
    do {
      try FileTree.replace(url, with: temporary, aside: replaced)
    } catch {
      throw ExportError(
        .unwritable,
        RunError.text(error),
        at: url.path,
        remedy: "choose another place"
      )
    }
    return summary
  }

  /// Refuses to replace the model that is read, a folder around it, and folders that hold something
  /// else than a model.
  private func requireReplaceable(_ url: URL) throws(ExportError) {
    guard FileTree.exists(url) else { return }
    let goal = url.resolvingSymlinksInPath().standardizedFileURL.pathComponents
    let origin = model.companions.origin.resolvingSymlinksInPath().standardizedFileURL
    if origin.pathComponents.starts(with: goal) {
      throw occupied(url, "the model that is read is there")
    }
    if FileTree.isFolder(url), !FileTree.exists(url.appending(path: "config.json")) {
      throw occupied(url, "there is a folder without a config.json, which is no model")
    }
    if FileTree.isFolder(url), let foreign = Self.foreignName(in: url) {
      throw occupied(url, "the folder holds `\(foreign)`, which is not part of a model")
    }
  }

  /// A name in a folder that an export does not write, and that replacing the folder would lose.
  private static func foreignName(in folder: URL) -> String? {
    let written = ["config.json", "model.safetensors.index.json", "quantize_config.json"]
    let own = Set(ModelCompanions.carried + written)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().first { !own.contains($0) && !$0.hasSuffix(".safetensors") }
  }

  private func occupied(_ url: URL, _ problem: String) -> ExportError {
    ExportError(.occupied, problem, at: url.path, remedy: "choose another name, or remove it")
  }
}
