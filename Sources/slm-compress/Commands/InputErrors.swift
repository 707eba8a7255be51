import ArgumentParser
import Checkpoints
import Datasets
import Distill
import Evaluate
import Export
import Foundation
import Models
import Prune
import Quantize
import Tokenizers
import Train

/// Runs a command's work so that what is wrong with its input ends it with status 2.
///
/// - Parameter body: The work.
/// - Throws: `ExitCode(2)` after printing an error about a model, text, tokenizer or option to
///   standard error; any other error, such as one of writing, as it is.
func reportingInputErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error where isAboutInput(error) {
    printToStandardError("error: \(error)")
    throw ExitCode(2)
  }
}

/// Whether an error is about what the user gave, so that the program ends with status 2.
func isAboutInput(_ error: any Error) -> Bool {
  switch error {
  case let error as CheckpointError: error.code != .unwritable
  case let error as ModelError: error.code != .unwritable && error.code != .notFinite
  case let error as ExportError: error.isAboutInput
  case let error as TrainingError: error.code != .unwritable && error.code != .notFinite
  case let error as DistillError: error.code == .unusableTeacher
  case let error as EvaluateError: error.code != .unwritable
  case let error as PruneError: error.code != .notPositiveDefinite
  default:
    error is DatasetError || error is TokenizerError || error is QuantizeError
  }
}

/// An error about a command's arguments: what is wrong, and what to do about it.
func argumentError(_ problem: String, _ remedy: String) -> ExitCode {
  printToStandardError("error: \(problem)\n  to do: \(remedy)")
  return ExitCode(2)
}

/// Prints a value to standard output as indented JSON with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf",
    negativeInfinity: "-inf",
    nan: "nan"
  )
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Reads comma- or space-separated token ids.
///
/// - Parameters:
///   - text: The ids as written.
///   - limit: One more than the largest id allowed.
/// - Returns: The ids, at least one.
/// - Throws: `ExitCode(2)` after naming the first part that is no id in range.
func tokenIDs(_ text: String, below limit: Int) throws -> [Int32] {
  let parts = text.split { $0 == "," || $0.isWhitespace }
  guard !parts.isEmpty else {
    throw argumentError("no token ids are given", "write them as 1,2,3")
  }
  return try parts.map { part in
    guard let id = Int32(part), id >= 0, Int(id) < limit else {
      throw argumentError(
        "“\(part)” is not a token id",
        "ids are whole numbers from 0 to \(limit - 1)"
      )
    }
    return id
  }
}
