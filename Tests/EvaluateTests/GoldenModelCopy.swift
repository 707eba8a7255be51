import Checkpoints
import Foundation
import Models
import Tensor

/// A golden model in a folder of its own, with a tokenizer of 64 single characters.
final class GoldenModelCopy {
  let url: URL

  /// Where the folders are; removed when the tests end, because an open model reads on.
  private static let root: URL = {
    atexit { try? FileManager.default.removeItem(at: GoldenModelCopy.root) }
    return FileManager.default.temporaryDirectory.appending(path: "tiny-models-\(UUID())")
  }()

  private static let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/models")

  /// Copies a golden model.
  ///
  /// - Parameters:
  ///   - name: The golden model.
  ///   - addsBeginning: Whether the tokenizer puts a token before every text.
  /// - Throws: An error of the file system.
  init(_ name: String = "llama-grouped", addsBeginning: Bool = false) throws {
    url = Self.root.appending(path: "\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let source = Self.golden.appending(path: name)
    for file in try FileManager.default.contentsOfDirectory(atPath: source.path)
    where file != "expected.safetensors" {
      try FileManager.default.copyItem(
        at: source.appending(path: file),
        to: url.appending(path: file)
      )
    }
    try Self.tokenizer(addsBeginning: addsBeginning).text()
      .write(to: url.appending(path: "tokenizer.json"))
  }

  func load() throws -> LanguageModel { try ModelLoader.load(url) }

  /// Saves the model with one weight changed.
  func replace(_ name: String, _ change: (inout [Float]) -> Void) throws {
    let model = try load()
    let saved = url.appending(path: "changed")
    try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
    for linear in model.matrices where linear.name == name {
      var elements = linear.weight.dense.elements(as: Float.self)
      change(&elements)
      linear.weight = DenseWeight(Tensor(elements, shape: [linear.rows, linear.columns]))
    }
    try ModelWriter(model, to: saved).finish()
    for file in try FileManager.default.contentsOfDirectory(atPath: url.path)
    where file.hasSuffix(".safetensors") || file.hasSuffix(".index.json") {
      try FileManager.default.removeItem(at: url.appending(path: file))
    }
    for file in try FileManager.default.contentsOfDirectory(atPath: saved.path) {
      let target = url.appending(path: file)
      try? FileManager.default.removeItem(at: target)
      try FileManager.default.moveItem(at: saved.appending(path: file), to: target)
    }
  }

  /// Text of which every character is a token.
  static func text(_ count: Int, seed: UInt64 = 1) -> String {
    var state = seed
    return String(
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return characters[Int(state >> 33) % characters.count]
      }
    )
  }

  private static let characters = Array(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;:-!"
  )

  private static func tokenizer(addsBeginning: Bool) -> JSONValue {
    var vocabulary: [String: JSONValue] = [
      "<unk>": .integer(0), "<s>": .integer(1), "</s>": .integer(2), "?": .integer(3),
    ]
    for (index, character) in characters.enumerated() {
      vocabulary[String(character)] = .integer(4 + index)
    }
    let beginning = JSONValue.object([
      "type": .string("TemplateProcessing"),
      "single": .array([
        .object(["SpecialToken": .object(["id": .string("<s>"), "type_id": .integer(0)])]),
        .object(["Sequence": .object(["id": .string("A"), "type_id": .integer(0)])]),
      ]),
      "pair": .array([
        .object(["Sequence": .object(["id": .string("A"), "type_id": .integer(0)])]),
        .object(["Sequence": .object(["id": .string("B"), "type_id": .integer(0)])]),
      ]),
      "special_tokens": .object([
        "<s>": .object([
          "id": .string("<s>"), "ids": .array([.integer(1)]),
          "tokens": .array([.string("<s>")]),
        ])
      ]),
    ])
    return .object([
      "version": .string("1.0"), "truncation": .null, "padding": .null,
      "added_tokens": .array([]), "normalizer": .null, "pre_tokenizer": .null,
      "post_processor": addsBeginning ? beginning : .null,
      "decoder": .object(["type": .string("Fuse")]),
      "model": .object([
        "type": .string("BPE"), "dropout": .null, "unk_token": .string("<unk>"),
        "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .bool(false),
        "byte_fallback": .bool(false), "vocab": .object(vocabulary), "merges": .array([]),
      ]),
    ])
  }
}
