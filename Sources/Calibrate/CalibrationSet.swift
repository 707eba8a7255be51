internal import Crypto
internal import Datasets
package import Foundation
public import Models
public import Pipeline

/// Sequences of tokens of one length to run through a model.
public struct CalibrationSet: Sendable {
  /// What the text is called.
  public let name: String
  /// The tokens of each sequence, all of one length.
  public let sequences: [[Int32]]
  /// A hash of the tokens, which names the set in caches.
  public let digest: String

  /// Takes sequences as they are.
  ///
  /// - Precondition: There is at least one, and all are of one length from 1.
  public init(_ sequences: [[Int32]], name: String) {
    self.sequences = sequences
    self.name = name
    var hash = SHA256()
    hash.update(data: Data("\(sequences.first?.count ?? 0) ".utf8))
    for sequence in sequences {
      sequence.withUnsafeBytes { hash.update(bufferPointer: $0) }
    }
    digest = hash.finalize().map { String(format: "%02x", $0) }.joined()
  }

  /// The tokens of a sequence.
  public var length: Int { sequences.first?.count ?? 0 }
  /// The tokens of all sequences.
  public var tokenCount: Int { sequences.count * length }
}

extension CalibrationOptions {
  /// Prepares to walk through a model that is changed layer by layer.
  ///
  /// - Parameters:
  ///   - model: The model as it was loaded.
  ///   - set: The sequences.
  ///   - context: Where activations and statistics are kept.
  ///   - scratch: The folder for activations.
  ///   - followsOriginal: As in ``BlockWalk``.
  ///   - keepsGram: Whether only Gram matrices are collected, so that those of original inputs can
  ///     be kept for other recipes.
  /// - Returns: The walk.
  /// - Throws: ``CalibrateError``, or what reading the model's files throws.
  package func walk(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    _ context: StageContext,
    scratch: URL,
    followsOriginal: Bool = false,
    keepsGram: Bool = false
  ) throws -> BlockWalk {
    let cache =
      keepsGram && inputs == .original ? try StatisticsCache(model, set, context) : nil
    if cache?.isComplete ?? false {
      context.note("what is known of inputs was kept by an earlier run")
    }
    return try BlockWalk(
      model,
      set,
      memoryByteCount: memory.byteCount,
      scratch: scratch,
      followsOriginal: followsOriginal,
      inputs: inputs,
      cache: cache
    )
  }

  /// Reads and tokenizes the text, and cuts it into sequences.
  ///
  /// - Parameters:
  ///   - model: The model, whose tokenizer is used.
  ///   - context: Where paths start; warned if the text is shorter than it should be.
  ///   - unknowns: How many numbers are solved for with the text at once; 0 if none are.
  /// - Returns: As many whole sequences as the text has, at most those asked for.
  /// - Throws: `DatasetError` if the text cannot be read or does not fill one sequence;
  ///   `TokenizerError` or `ModelError` if it cannot be tokenized.
  public func load(
    _ model: LanguageModel,
    _ context: StageContext,
    unknowns: Int = 0
  ) throws -> CalibrationSet {
    let text = try read(model, context.paths)
    let windows = try TokenWindows(
      text.tokens,
      length: length,
      limit: tokenCount,
      source: text.name
    )
    let vocabulary = model.configuration.vocabularySize
    if let largest = text.tokens.max(), Int(largest) >= vocabulary {
      throw DatasetError(
        .otherData,
        "the tokenizer gives token \(largest), and the model has \(vocabulary)",
        at: text.name,
        remedy: "tokenizer and weights belong to different models"
      )
    }
    for warning in text.warnings(unknowns: unknowns) { context.warn(warning) }
    return CalibrationSet((0..<windows.count).map { windows[$0] }, name: text.name)
  }

  /// Reads and tokenizes the text, as far as it is used.
  func read(_ model: LanguageModel, _ paths: RecipePaths) throws -> CalibrationText {
    try CalibrationText(self, model.tokenizer(), paths)
  }
}
