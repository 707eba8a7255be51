import Datasets
import Foundation

extension RecipeFile {
  /// The share of the evaluation's text that may occur in a fitted text without a warning: phrases
  /// that anybody writes.
  private static let allowedShare = 0.01
  /// The most bytes of a data set that are looked at.
  private static let dataLimit = 16 << 20
  /// More bytes than a token usually has, to know how far a text is read.
  private static let bytesPerToken = 8

  /// Finds what stages fit the model to that it is measured on too.
  ///
  /// Texts that cannot be read are left out, as checking the recipe reports them.
  ///
  /// - Returns: Warnings by the stage's index; empty if nothing is measured.
  /// - Complexity: Reads the evaluation's text, the calibration texts, and 16 MB of each data set;
  ///   less than a second for each of that size.
  func overlaps() -> [Int: [StageProblem]] {
    guard let evaluation = recipe.evaluation else { return [:] }
    let measured = evaluation.perplexity
    var prepared: TextOverlap?
    var found: [FittedText.Content: String] = [:]
    var warnings: [Int: [StageProblem]] = [:]
    for (index, stage) in recipe.stages.enumerated() {
      for fitted in stage.stage.fittedTexts where !fitted.isApart(from: measured) {
        if found[fitted.content] == nil {
          if prepared == nil {
            guard let text = try? start(measured, evaluation.tokens) else { return [:] }
            prepared = TextOverlap(of: text)
          }
          guard var overlap = prepared else { continue }
          guard (try? add(fitted, to: &overlap)) != nil else { continue }
          found[fitted.content] = overlap.share > Self.allowedShare ? Self.warning(overlap) : ""
        }
        guard let warning = found[fitted.content], !warning.isEmpty else { continue }
        warnings[index, default: []].append(
          StageProblem("`\(fitted.option)` \(warning)", option: fitted.option)
        )
      }
    }
    return warnings
  }

  private func add(_ fitted: FittedText, to overlap: inout TextOverlap) throws {
    switch fitted.content {
    case .text(let text, let tokens):
      overlap.add(try start(text, tokens))
    case .records(let name, let options):
      let isBuiltin = name.hasPrefix("builtin:")
      let source = try RecordSource(isBuiltin ? name : paths.input(name).path, options: options)
      let reader = source.makeReader()
      var byteCount = 0
      while byteCount < Self.dataLimit, let record = try reader.next() {
        for text in record.texts {
          overlap.add(text)
          byteCount += text.utf8.count
        }
      }
    }
  }

  private static func warning(_ overlap: TextOverlap) -> String {
    let share = Wording.number(100 * overlap.share, digits: 2)
    let example = overlap.example.map { ", such as “\($0)”" } ?? ""
    return "contains \(share) % of the text that `evaluation` measures on\(example): the numbers "
      + "will be better than on other text"
  }

  /// As much of a text as so many tokens may have.
  private func start(_ text: TextInput, _ tokens: Int?) throws -> String {
    let source = text.source(paths)
    guard let tokens, tokens < Int.max / Self.bytesPerToken else { return try source.read() }
    return try source.read(first: tokens * Self.bytesPerToken).text
  }
}

extension FittedText {
  /// Whether a text is known to have nothing in common with what is measured on, though phrases may
  /// be the same: stories to train on and those to measure on.
  fileprivate func isApart(from measured: TextInput) -> Bool {
    guard case .stories(let other) = measured else { return false }
    let own: StorySelection? =
      switch content {
      case .text(.stories(let stories), _): stories
      case .text: nil
      case .records(let name, _): StorySelection(name)
      }
    return own.map { $0.isValidation != other.isValidation } ?? false
  }
}

extension Record {
  fileprivate var texts: [String] {
    switch content {
    case .text(let text): [text]
    case .conversation(let conversation): conversation.messages.map(\.content)
    }
  }
}
