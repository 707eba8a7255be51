import Datasets
import Foundation
import Models

/// The tokenizer of a new model: one that there is, or one that is trained.
public enum TokenizerInput: RecipeValue {
  /// A folder with tokenizer.json and what goes with it, or such a file alone.
  case existing(InputPath)
  /// A tokenizer that is trained before the run's first stage.
  case trained(TokenizerTraining)

  /// “a folder with tokenizer.json, such a file, or `{ train_on: … }`”.
  public static var typeName: String {
    "a folder with tokenizer.json, such a file, or `{ train_on: … }`"
  }

  /// Reads a path, or what to train on.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> TokenizerInput? {
    if case .map = node.content {
      return TokenizerTraining.read(node, &reading).map { .trained($0) }
    }
    guard node.scalar != nil, !node.isNothing else { return reading.expected(typeName, node) }
    return InputPath.read(node, &reading).map { .existing($0) }
  }

  /// The path as written, or the options of the training.
  public var recipeNode: RecipeNode {
    switch self {
    case .existing(let path): path.recipeNode
    case .trained(let training): training.recipeNode
    }
  }
}

extension TokenizerInput: NestingValue {
  static var elementFields: [FieldReference] { TokenizerTraining.fieldReferences }
}

/// How a tokenizer is trained.
public struct TokenizerTraining: OptionGroup {
  /// The texts, one after the other.
  public var trainOn: [TextInput] = []
  /// The most bytes of text that are used.
  public var bytes = ByteSize(64_000_000)

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<TokenizerTraining>] {
    [
      .required(
        "train_on",
        \.trainOn,
        "The texts that a byte-level tokenizer with the model's vocabulary is trained on. It has "
          + "the tokens `<|endoftext|>`, `<|im_start|>` and `<|im_end|>`, and ChatML as its chat "
          + "template."
      ),
      .field(
        "bytes",
        \.bytes,
        in: ByteSize(1)...,
        "Most bytes of text to use, from the beginning."
      ),
    ]
  }

  /// Finds that there is no text.
  public func problems() -> [StageProblem] {
    trainOn.isEmpty ? [StageProblem("train_on must name a text", option: "train_on")] : []
  }

  /// The text of stories as it is read as a whole, but for what is beyond some bytes: there may be
  /// more than memory holds.
  private static func text(of selection: StorySelection, byteCount: Int) -> String {
    var text = selection.story(0)
    var index = 1
    while index < selection.count && text.utf8.count <= byteCount {
      text += "\n\n" + selection.story(index)
      index += 1
    }
    return text + "\n"
  }

  /// Reads as much of the texts as is used.
  func texts(_ paths: RecipePaths) throws(DatasetError) -> [String] {
    var texts: [String] = []
    var rest = bytes.byteCount
    for input in trainOn where rest > 0 {
      let text: String
      if case .stories(let selection) = input {
        text = Self.text(of: selection, byteCount: rest)
      } else {
        text = try input.source(paths).read()
      }
      guard text.utf8.count > rest else {
        texts.append(text)
        rest -= text.utf8.count
        continue
      }
      // A character that the limit would cut is left out as a whole.
      var bytes = Array(text.utf8.prefix(rest + 1))
      while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
      texts.append(String(decoding: bytes, as: UTF8.self))
      rest = 0
    }
    return texts
  }
}
