import Foundation
import Models
import Pipeline
import TestSupport
import Testing

@Suite("Recipes with a new model")
struct NewModelTests {
  private let tiny: TinyModel

  init() throws { tiny = try TinyModel() }

  /// A recipe whose new model has some options.
  private func text(_ options: String, _ tokenizer: String? = nil) -> String {
    "model: { new: { \(options), tokenizer: \(tokenizer ?? tiny.url.path) } }\n"
      + "stages:\n  - sample.all\n"
  }

  private static let sizes =
    "hidden_size: 64, layers: 2, heads: 4, feed_forward_size: 96, context_length: 64"

  @Test(
    "read back what they print",
    arguments: [
      "model: m",
      """
      model:
        new:
          family: qwen3
          hidden_size: 64
          layers: 2
          heads: 4
          key_value_heads: 2
          head_size: 32
          feed_forward_size: 96
          vocabulary_size: 300
          context_length: 64
          tie_embeddings: false
          norm_epsilon: 1e-5
          rope_theta: 50000
          initializer_range: 0.01
          tokenizer: folder
      """,
      "model: { new: { config: c.json, layers: 3, tokenizer: a/tokenizer.json } }",
      """
      model:
        new:
          config: c.json
          tokenizer: { train_on: [builtin:calibration, "b c.txt"], bytes: 20MB }
      """,
    ]
  )
  func roundTrip(model: String) throws {
    let original = try recipe(model + "\nstages:\n  - sample.all\n").recipe
    let again = try recipe(original.resolvedText).recipe
    #expect(again == original)
    #expect(again.resolvedText == original.resolvedText)
  }

  @Test("can be overridden, the model as a whole or one of its options")
  func overrides() throws {
    let text = text(Self.sizes)
    let changed = try recipe(text, ["model.new.layers=5", "model.new.family=mistral"]).recipe
    #expect(changed.resolvedText.contains("layers: 5"))
    #expect(changed.resolvedText.contains("family: mistral"))
    let replaced = try recipe(text, ["model=llama-3"]).recipe
    #expect(replaced.resolvedText.contains("model: llama-3\n"))
    let made = try recipe(
      "model: m\nstages:\n  - sample.all\n",
      ["model={ new: { config: c.json, tokenizer: t } }"]
    ).recipe
    #expect(made.resolvedText.contains("config: c.json"))
  }

  @Test("have every problem at its place")
  func positions() throws {
    let found = try problems(
      """
      model:
        new:
          family: lama
          hidden_size: 64
          layers: 0
          head: 4
          tokenizer: t
      stages:
        - sample.all
      """
    )
    #expect(
      found == """
        test.yaml:3:13: error: family must be `llama`, `mistral`, `qwen2` or `qwen3`, not `lama`
            family: lama
                    ^
        test.yaml:5:13: error: layers must be between 1 and 1000, not `0`
            layers: 0
                    ^
        test.yaml:6:5: error: unknown key `head`; did you mean `heads`?
            head: 4
            ^
        """
    )
  }

  @Test(
    "name what is missing or does not fit together",
    arguments: [
      ("layers: 2", "1:10: error: `hidden_size` is missing: give it, or a `config` that has it"),
      ("\(sizes), key_value_heads: 3", "1:115: error: 3 key-value heads do not divide 4 heads"),
      ("\(sizes), head_size: 15", "1:109: error: heads of 15 channels cannot rotate"),
      (
        "hidden_size: 66, layers: 2, heads: 4, feed_forward_size: 96, context_length: 64",
        "1:52: error: 4 heads do not divide a hidden size of 66; give `head_size`"
      ),
      (
        "hidden_size: 60, layers: 2, heads: 4, feed_forward_size: 96, context_length: 64",
        "1:52: error: heads of 15 channels cannot rotate"
      ),
    ]
  )
  func sizeProblems(options: String, message: String) throws {
    let found = try problems(text(options))
    #expect(found.contains("test.yaml:\(message)"), "\(found)")
  }

  @Test("must describe it under `new`, with a tokenizer")
  func shapes() throws {
    let stages = "\nstages:\n  - sample.all\n"
    #expect(try problems("model: [a]" + stages).contains("1:8: error: model must be the path or"))
    #expect(try problems("model: {}" + stages).contains("or `new: {…}`, not keys with values"))
    #expect(
      try problems("model: { nwe: {} }" + stages).contains("unknown key `nwe`; known keys: new")
    )
    #expect(
      try problems("model: { new: }" + stages).contains("1:10: error: `tokenizer` is missing")
    )
    let small = text("\(Self.sizes), vocabulary_size: 200", "{ train_on: builtin:calibration }")
    #expect(try problems(small).contains("has at least 259 tokens: 256 bytes and 3 special ones"))
    let unsized = text(Self.sizes, "{ train_on: builtin:calibration }")
    #expect(try problems(unsized).contains("`vocabulary_size` is missing"))
    let empty = text(Self.sizes, "{ train_on: [] }")
    #expect(try problems(empty).contains("train_on must name a text"))
  }

  @Test("have problems that only files show at the option that names them")
  func fileProblems() throws {
    let small = text("\(Self.sizes), vocabulary_size: 263")
    #expect(
      try problems(small, plans: true).contains(
        "1:115: error: the tokenizer has 264 tokens, more than the 263 of the vocabulary"
      )
    )
    let absent = try problems(text(Self.sizes, "/absent/tokenizer.json"), plans: true)
    #expect(absent.contains("error: there is no /absent/tokenizer.json"), "\(absent)")
    #expect(absent.split(separator: "error:").count == 2, "\(absent)")
    let broken = tiny.result("broken.json")
    try Data(#"{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 3}"#.utf8)
      .write(to: broken)
    let found = try problems(text("config: \(broken.path)"), plans: true)
    #expect(found.contains("`layers` is missing: neither the config nor the recipe has it"))
    #expect(found.contains("1:25: error: 3 heads do not divide a hidden size of 64"), "\(found)")
    try Data("{".utf8).write(to: tiny.result("tokenizer.json"))
    let damaged = try problems(text(Self.sizes), plans: true)
    #expect(damaged.contains("test.yaml:1:"), "\(damaged)")
    #expect(damaged.contains("tokenizer.json"), "\(damaged)")
  }

  @Test("are planned from the sizes alone")
  func plan() throws {
    let options = "\(Self.sizes), key_value_heads: 2, vocabulary_size: 500"
    let plan = try recipe(text(options)).plan(evaluator: nil)
    #expect(plan.model.configuration.vocabularySize == 500)
    #expect(plan.model.configuration.tiesEmbeddings)
    #expect(plan.model.configuration.endOfText == [0])
    let parameters = 500 * 64 + 2 * (64 * (64 + 32 + 32 + 64) + 3 * 64 * 96 + 2 * 64) + 64
    #expect(plan.model.parameterCount == parameters)
    #expect(plan.modelSize.byteCount == 4 * parameters)
    #expect(plan.creation?.peakByteCount ?? 0 > 64_000_000)
    #expect(plan.creation?.matches.first?.parameterCount == parameters)
    let sized = try recipe(text(Self.sizes)).plan(evaluator: nil)
    #expect(sized.model.configuration.vocabularySize == 264)
  }

  @Test("take from a config what they do not give")
  func config() throws {
    let url = tinyModel.appending(path: "config.json")
    let plain = try recipe(text("config: \(url.path), vocabulary_size: 264")).plan(evaluator: nil)
    let old = try recipe("model: llama-3\nstages:\n  - sample.all\n").plan(evaluator: nil)
    var expected = old.model.configuration
    expected.vocabularySize = 264
    expected.endOfText = [0]
    #expect(plain.model.configuration == expected)
    let options = "config: \(url.path), vocabulary_size: 264, layers: 1, rope_theta: 777"
    let changed = try recipe(text(options)).plan(evaluator: nil)
    expected.layerCount = 1
    expected.rotary.base = 777
    #expect(changed.model.configuration == expected)
  }
}
