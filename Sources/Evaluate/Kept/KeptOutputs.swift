internal import Datasets
public import Foundation
public import Models
internal import Pipeline
internal import Tensor

/// What a model is compared with in place of another model: its most likely tokens after each
/// position of a text, as a teacher cache keeps them.
///
/// A window is found by its tokens, so that outputs serve every model with the same ids, and the
/// protocols alike. The reference's checkpoint is needed only to keep them.
public struct KeptOutputs {
  /// What the reference is called in errors.
  let name: String
  /// The number of its tokens.
  let vocabulary: Int
  /// How many tokens are kept for each position.
  public let topK: Int
  /// How many windows were found, and how many the reference was run over.
  public var windows: (found: Int, computed: Int) { (cache.found, cache.added) }
  /// What was found wrong with kept outputs, and repaired.
  public var notes: [String] {
    var seen: Set<String> = []
    return cache.notes.filter { seen.insert($0).inserted }.map { "\(cache.file.path): \($0)" }
  }
  /// The most likely tokens at the counted positions of a window.
  let tokens: (_ window: Int) throws -> MostLikelyTokens
  private let cache: TeacherCache

  /// Opens outputs that are there for every window of a text.
  ///
  /// - Parameters:
  ///   - folder: A folder of `cache.path`, or one of the folders in it.
  ///   - text: The text, as the measured model's tokenizer reads it.
  ///   - model: The model to be measured.
  /// - Throws: ``EvaluateError`` if there are none of the text, or they belong to another
  ///   vocabulary.
  public init(keptIn folder: URL, for text: EvaluationText, measuring model: LanguageModel) throws {
    // A folder that is being written to, or damaged, is no reason unless it is the one needed.
    var (caches, failures): ([TeacherCache], [any Error]) = ([], [])
    for folder in TeacherCache.folders(in: folder) {
      do { caches.append(try TeacherCache(reading: folder)) } catch { failures.append(error) }
    }
    guard !caches.isEmpty else {
      throw failures.first
        ?? EvaluateError(
          .referenceUnusable,
          "there are no kept outputs of a teacher in it",
          at: folder.path,
          remedy: "name the teacher beside the folder to keep them, or the folder of `cache.path`"
        )
    }
    let objections = caches.map { $0.description.objection(to: model.head.rows) }
    let fitting = zip(caches, objections).compactMap { $1 == nil ? $0 : nil }
    guard !fitting.isEmpty else {
      throw failures.first
        ?? EvaluateError(
          .notComparable,
          objections.compactMap(\.self).joined(separator: "; "),
          at: folder.path,
          remedy: "keep outputs of a reference with the model's vocabulary"
        )
    }
    let having = fitting.filter { $0.windows(of: text) > 0 }
    let best = having.map { $0.windows(of: text) }.max() ?? 0
    let usable = having.filter { $0.windows(of: text) == best }
    guard let cache = usable.first else {
      throw failures.first
        ?? EvaluateError(
          .notComparable,
          "none of the \(text.windows.count) windows of \(text.windows.length) tokens of "
            + "\(text.name) is in it: what is kept is of another text, of other windows, or of "
            + "another tokenizer",
          at: folder.path,
          remedy: "measure with the text and context that it was kept with, or name the teacher "
            + "beside the folder to keep these"
        )
    }
    guard best == text.windows.count else {
      throw failures.first
        ?? EvaluateError(
          .notComparable,
          "\(best) of the \(text.windows.count) windows of \(text.name) are in it",
          at: folder.path,
          remedy:
            "use as many tokens as it was kept with, or name the teacher beside the folder to "
            + "keep the others"
        )
    }
    guard usable.count == 1 else {
      let names = usable.map {
        "\($0.file.deletingLastPathComponent().lastPathComponent) with \($0.description.topK)"
      }
      throw EvaluateError(
        .invalidOptions,
        "outputs of several teachers or numbers of tokens are in it: "
          + names.joined(separator: ", "),
        at: folder.path,
        remedy: "name one of these folders in it"
      )
    }
    self.init(cache, folder.path, text, computing: nil)
  }

  /// Keeps the outputs of a model as they are asked for, or takes those that are there.
  ///
  /// - Parameters:
  ///   - model: The reference.
  ///   - folder: Where they are kept, made if it is not there.
  ///   - topK: How many tokens of each position.
  ///   - text: The text.
  /// - Throws: ``EvaluateError`` if the reference does not know a token, or the folder cannot be
  ///   written.
  /// - Complexity: A pass of the reference over each window that is not there yet.
  public init(of model: LanguageModel, in folder: URL, topK: Int, on text: EvaluationText) throws {
    try text.requireVocabulary(model.configuration.vocabularySize, of: model.companions.name)
    let vocabulary = model.head.rows
    let cache = try TeacherCache(
      folder,
      TeacherCache.Description(
        teacher: try Digest.of(model: model.companions.origin),
        vocabulary: vocabulary,
        topK: min(topK, vocabulary),
        temperature: 1
      )
    )
    self.init(cache, model.companions.name, text, computing: model)
  }

  private init(
    _ cache: TeacherCache,
    _ name: String,
    _ text: EvaluationText,
    computing reference: LanguageModel?
  ) {
    (self.cache, self.name) = (cache, name)
    (vocabulary, topK) = (cache.description.vocabulary, cache.description.topK)
    tokens = { window in
      let row = text.row(window)
      guard let reference else {
        guard let known = try cache.row(row.key, positions: row.tokens.count) else {
          throw EvaluateError(
            .referenceUnusable,
            "window \(window) is no longer there",
            at: name,
            remedy: "name the teacher beside the folder to keep it again"
          )
        }
        return known.rows(text.counted)
      }
      return try cache.row(row.key, positions: row.tokens.count) {
        let hidden = reference.trainingHidden(
          row.tokens,
          rows: 1,
          documentStarts: nil,
          recomputation: .none
        )
        let known = reference.mostLikelyTokens(
          after: hidden,
          count: cache.coding.count,
          vocabulary: cache.coding.vocabulary
        )
        guard let known else {
          throw EvaluateError(
            .notFinite,
            "the reference's outputs are infinite or not a number in window \(window) of "
              + text.name,
            at: name,
            remedy: "choose another reference; this one is damaged"
          )
        }
        return known
      }.rows(text.counted)
    }
  }
}

extension TeacherCache {
  /// How many windows of a text are kept.
  fileprivate func windows(of text: EvaluationText) -> Int {
    (0..<text.windows.count).count {
      let row = text.row($0)
      return has(row.key, positions: row.tokens.count)
    }
  }
}

extension TeacherCache.Description {
  /// Why a model with some number of logits cannot be compared with.
  fileprivate func objection(to rows: Int) -> String? {
    if tokens != nil { return "outputs are kept by ids of a student and a teacher that differ" }
    if temperature != 1 { return "outputs are kept at a temperature of \(temperature), not 1" }
    return vocabulary == rows
      ? nil : "outputs are over \(vocabulary) tokens, and the model has \(rows)"
  }
}

extension EvaluationText {
  /// The tokens of a window that something is predicted from, and how they are found.
  fileprivate func row(_ window: Int) -> (tokens: [Int32], key: TeacherCache.Key) {
    let tokens = Array(input(window).dropLast())
    let starts = Array(repeating: Int32(0), count: tokens.count)
    return (tokens, TeacherCache.key(tokens[...], starts: starts[...]))
  }
}

extension MostLikelyTokens {
  /// Some of the rows.
  fileprivate func rows(_ range: Range<Int>) -> MostLikelyTokens {
    let places = range.lowerBound * count..<range.upperBound * count
    return MostLikelyTokens(
      count: count,
      tokens: Array(tokens[places]),
      probabilities: Array(probabilities[places]),
      rest: Array(rest[range])
    )
  }
}
