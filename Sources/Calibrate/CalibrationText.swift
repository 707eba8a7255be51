internal import Datasets
internal import Models
internal import Pipeline
internal import Tokenizers

/// The tokens of a calibration text, as many as are asked for, or as there are.
struct CalibrationText {
  /// The tokens, from the start of the text.
  let tokens: [Int32]
  /// What the text is called.
  let name: String
  private let options: CalibrationOptions

  /// Reads and tokenizes a text, of which no more is read than is used.
  ///
  /// - Throws: `DatasetError` if it cannot be read, `TokenizerError` if it cannot be tokenized.
  init(_ options: CalibrationOptions, _ tokenizer: Tokenizer, _ paths: RecipePaths) throws {
    self.options = options
    let source = options.text.source(paths)
    name = source.description
    // Some more, as the last tokens of a text that is cut would go on.
    let enough = options.tokenCount + 256
    var byteCount = 8 * enough
    while true {
      let (text, isWhole) = try source.read(first: byteCount)
      let tokens = try tokenizer.encode(text)
      if isWhole || tokens.count >= enough {
        self.tokens = tokens
        return
      }
      byteCount *= 2
    }
  }

  /// Takes tokens as they are.
  init(_ tokens: [Int32], name: String, _ options: CalibrationOptions) {
    (self.tokens, self.name, self.options) = (tokens, name, options)
  }

  /// How many sequences the tokens fill, at most those asked for.
  var sequenceCount: Int { min(options.sequences, tokens.count / options.length) }

  /// What a reader should know of a text that is shorter than it should be.
  ///
  /// - Parameter unknowns: How many numbers are solved for with the text at once; 0 if none are.
  /// - Returns: Sentences that begin with a name of the text.
  func warnings(unknowns: Int) -> [String] {
    var warnings: [String] = []
    if sequenceCount < options.sequences {
      warnings.append(
        "\(name) fills \(sequenceCount) of the \(options.sequences) sequences of "
          + "\(options.length) tokens asked for calibration"
      )
    }
    let used = sequenceCount * options.length
    if used < 4 * unknowns {
      warnings.append(
        "\(used) tokens of \(name) are few to tell \(unknowns) inputs apart; four times as many "
          + "tokens as inputs are better"
      )
    }
    return warnings
  }
}
