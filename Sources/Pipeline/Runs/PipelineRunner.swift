public import Foundation
import Models

/// Runs a recipe in a run directory, going on where an earlier run stopped.
///
/// Every stage begins from the checkpoint that the one before has written, never from memory, so
/// that a run that was stopped and resumed ends with the same bytes as one that was not.
public struct PipelineRunner: Sendable {
  let file: RecipeFile
  let registry: StageRegistry
  let evaluator: (any ModelEvaluator)?
  let directory: RunDirectory
  let listener: any RunListener

  /// Prepares to run a recipe.
  ///
  /// - Parameters:
  ///   - file: The recipe, checked with ``RecipeFile/plan(evaluator:)``.
  ///   - directory: Where the run's files go; created if it does not exist.
  ///   - registry: The stages and metrics that the recipe can name.
  ///   - evaluator: What measures; nil to report sizes only.
  ///   - listener: Who is told what happens.
  public init(
    _ file: RecipeFile,
    in directory: RunDirectory,
    registry: StageRegistry,
    evaluator: (any ModelEvaluator)? = nil,
    listener: any RunListener = SilentListener()
  ) {
    self.file = file
    self.registry = registry
    self.evaluator = evaluator
    self.directory = directory
    self.listener = listener
  }

  /// Runs what is not done yet, and writes report.json.
  ///
  /// - Parameter render: Writes further forms of the report into the run directory.
  /// - Returns: The report. Gates that fail are in it; they are not an error.
  /// - Throws: ``RunError`` if a stage or a measurement fails, or files cannot be written.
  public func run(
    render: (_ report: RunReport, _ directory: URL) throws -> Void = { _, _ in }
  ) throws -> RunReport {
    try requireOwnDirectory()
    do {
      try FileTree.create(directory.url)
    } catch {
      throw RunError(
        .file,
        "the directory cannot be made (\(RunError.text(error)))",
        at: directory.url.path,
        remedy: "check that you may write there, or choose another with --output"
      )
    }
    let lock = try RunLock(directory.lockFile)
    defer { withExtendedLifetime(lock) {} }
    let log = RunLog(directory.logFile, next: listener)
    do {
      try writeHeader()
      var session = RunSession(runner: self, log: log)
      let report = try session.run()
      try report.json.write(to: directory.reportFile, options: .atomic)
      try render(report, directory.url)
      return report
    } catch {
      let error = RunError(error, during: "the run")
      log.receive(.note("stopped: \(error)"))
      throw error
    }
  }

  // Exports replace what lies in their place; a folder of somebody's files is no place for them.
  private func requireOwnDirectory() throws {
    let names = FileTree.names(in: directory.url)
    let isOwn = names.contains("recipe.resolved.yaml")
    // A run that was killed as it began leaves files of these names, or temporary hidden ones.
    let foreign = names.first { !Recipe.reservedNames.contains($0) && !$0.hasPrefix(".") }
    guard let foreign, !isOwn else { return }
    throw RunError(
      .file,
      "the folder holds `\(foreign)`, which is not of a run",
      at: directory.url.path,
      remedy: "choose an empty folder, or one of an earlier run, with --output"
    )
  }

  private func writeHeader() throws {
    let url = directory.url
    try Data(file.text.utf8).write(to: url.appending(path: "recipe.yaml"), options: .atomic)
    try Data(file.recipe.resolvedText.utf8)
      .write(to: url.appending(path: "recipe.resolved.yaml"), options: .atomic)
    try FileTree.write(RunEnvironment.current, to: url.appending(path: "environment.json"))
  }
}
