public import Foundation
import Models

/// What a running stage may use: files, randomness, progress and the run's log.
public final class StageContext {
  /// The checkpoint folder that the model was loaded from, with its tokenizer and configuration.
  public let modelFolder: URL
  /// The seed for the stage's random choices, different for every stage of a recipe.
  public let seed: UInt64
  /// A folder for the stage's own files, such as `metrics.jsonl`; it stays in the run directory.
  public let folder: URL
  /// A folder that survives an interrupted run, for a stage that can go on where it stopped.
  ///
  /// It is empty at first, and removed when the stage is complete.
  public let stateFolder: URL
  /// Where a stage that exports writes its file or folder.
  ///
  /// The runner moves it to its final name.
  public let exportURL: URL
  /// Where paths of the recipe start.
  public let paths: RecipePaths
  /// The model that the recipe began with, as it was before the first stage; nil if unknown.
  public let baselineFolder: URL?
  private let listener: any RunListener
  private let writeBlock: (Int) throws -> Void
  private(set) var warnings: [String] = []

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - modelFolder: The folder of the stage's input.
  ///   - seed: The stage's seed.
  ///   - folder: An existing folder for the stage's files.
  ///   - exportURL: Where an export goes.
  ///   - paths: Where paths of the recipe start.
  ///   - baselineFolder: The model that the recipe began with.
  ///   - listener: Who is told about progress.
  ///   - writeBlock: Stores a block of the model that has its final weights.
  public init(
    modelFolder: URL,
    seed: UInt64,
    folder: URL,
    exportURL: URL,
    paths: RecipePaths,
    baselineFolder: URL? = nil,
    listener: any RunListener = SilentListener(),
    writeBlock: @escaping (_ index: Int) throws -> Void = { _ in }
  ) {
    self.modelFolder = modelFolder
    self.seed = seed
    self.folder = folder
    stateFolder = folder.appending(path: "state")
    self.exportURL = exportURL
    self.paths = paths
    self.baselineFolder = baselineFolder
    self.listener = listener
    self.writeBlock = writeBlock
  }

  /// Tells how far the stage is.
  ///
  /// - Parameters:
  ///   - done: How many units are done.
  ///   - total: How many there are.
  ///   - unit: What a unit is called, in the plural: `blocks`, `steps`.
  ///   - message: What is being done, such as a layer's name or the loss.
  public func progress(_ done: Int, of total: Int, unit: String, _ message: String = "") {
    listener.receive(.progress(RunProgress(done: done, total: total, unit: unit, message: message)))
  }

  /// Notes what the reader of the report should know before trusting the result.
  public func warn(_ message: String) {
    warnings.append(message)
    listener.receive(.warning(message))
  }

  /// Stores a block whose weights are final, and reports progress.
  ///
  /// Its weights are mapped from the file just written from then on, so that a stage that calls
  /// this block by block never holds more than one in memory. Blocks must be finished in order;
  /// those not finished are stored when the stage returns.
  public func finishBlock(_ index: Int, of count: Int) throws {
    try writeBlock(index)
    progress(index + 1, of: count, unit: "blocks")
  }
}
