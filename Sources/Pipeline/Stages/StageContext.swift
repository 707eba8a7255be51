public import Foundation
public import Models

/// What a running stage may use: files, randomness, progress and the run's log.
public final class StageContext {
  /// The checkpoint folder that the model was loaded from, with its tokenizer and configuration.
  public let modelFolder: URL
  /// Where the recipe's model lies, as it was before the first stage: a file or folder to load a
  /// teacher or reference from.
  public let baselineURL: URL
  /// The seed for the stage's random choices, different for every stage of a recipe.
  public let seed: UInt64
  /// A folder for the stage's own files, such as `metrics.jsonl`; it stays in the run directory.
  public let folder: URL
  /// A folder that survives an interrupted run, for a stage that can go on where it stopped.
  ///
  /// It is empty at first, and removed when the stage is complete.
  public let stateFolder: URL
  /// A folder for what takes long to find out and serves other options too, such as the measured
  /// sensitivities of a model's matrices.
  ///
  /// All stages of a run directory share it, or all recipes that name it; it is never emptied, so
  /// that file names say what the content depends on. It does not exist before a stage creates it.
  public let cacheFolder: URL
  /// Where a stage that exports writes its file or folder.
  ///
  /// The runner moves it to its final name.
  public let exportURL: URL
  /// Where paths of the recipe start.
  public let paths: RecipePaths
  private let listener: any RunListener
  private let writeBlock: (Int) throws -> Void
  private let useModel: (LanguageModel) -> Void
  private(set) var warnings: [String] = []

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - modelFolder: The folder of the stage's input.
  ///   - baselineURL: The recipe's model; the stage's input if nil.
  ///   - seed: The stage's seed.
  ///   - folder: An existing folder for the stage's files.
  ///   - cacheFolder: What stages keep for one another; inside `folder` if nil.
  ///   - exportURL: Where an export goes.
  ///   - paths: Where paths of the recipe start.
  ///   - listener: Who is told about progress.
  ///   - writeBlock: Stores a block of the model that has its final weights.
  ///   - useModel: Takes another model for the stage's result, before its first block is stored.
  public init(
    modelFolder: URL,
    baselineURL: URL? = nil,
    seed: UInt64,
    folder: URL,
    cacheFolder: URL? = nil,
    exportURL: URL,
    paths: RecipePaths,
    listener: any RunListener = SilentListener(),
    writeBlock: @escaping (_ index: Int) throws -> Void = { _ in },
    useModel: @escaping (_ model: LanguageModel) -> Void = { _ in }
  ) {
    self.modelFolder = modelFolder
    self.baselineURL = baselineURL ?? modelFolder
    self.seed = seed
    self.folder = folder
    stateFolder = folder.appending(path: "state")
    self.cacheFolder = cacheFolder ?? folder.appending(path: "cache")
    self.exportURL = exportURL
    self.paths = paths
    self.listener = listener
    self.writeBlock = writeBlock
    self.useModel = useModel
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

  /// Writes a line into the run's log.
  public func note(_ message: String) { listener.receive(.note(message)) }

  /// Makes another model the stage's result, such as one with fewer blocks or narrower layers.
  ///
  /// A stage that changes the structure calls this with a model whose matrices are read from those
  /// of its input, before it finishes the first block. Blocks finished from then on are the other
  /// model's.
  public func replaceModel(by model: LanguageModel) { useModel(model) }

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
