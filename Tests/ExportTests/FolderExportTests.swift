import Checkpoints
import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing
import Tokenizers

@Suite("Hugging Face export")
struct HuggingFaceExportTests {
  @Test("every kind of model comes back as it was", arguments: variants.indices)
  func roundTrip(_ variant: Int) throws {
    let tiny = try TinyModel(variants[variant])
    let model = try tiny.load()
    let url = tiny.result("folder")
    let back = try export(model, HuggingFaceFormat(type: .float32), to: url)
    expectSameNumbers(model, back)
    let config = try JSONDecoder().decode(
      JSONValue.self,
      from: Data(contentsOf: url.appending(path: "config.json"))
    )
    #expect(config["torch_dtype"] == .string("float32"))
    #expect(config["dtype"] == .string("float32"))
    #expect(try back.tokenizer().encode("the end") == model.tokenizer().encode("the end"))
  }

  @Test("a GGUF file becomes a folder with a tokenizer")
  func fromGGUF() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let file = try export(model, GGUFFormat(type: .q8_0), to: tiny.result("model.gguf"))
    let back = try export(file, HuggingFaceFormat(type: .float32), to: tiny.result("folder"))
    expectSameNumbers(file, back)
    let text = "in the one 123 ünïcode"
    #expect(try back.tokenizer().encode(text) == model.tokenizer().encode(text))
  }

  @Test("rotary frequencies scaled one by one are refused")
  func divisors() throws {
    let tiny = try TinyModel()
    let config = tiny.url.appending(path: "config.json")
    var json = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: config))
    json["rope_parameters"] = .object([
      "rope_type": .string("divisors"),
      "divisors": .array([JSONValue](repeating: .integer(3), count: 8)),
    ])
    try json.text().write(to: config)
    let model = try tiny.load()
    let plain = HuggingFaceFormat(type: .float32).plan(ModelPromise(model.outline))
    #expect(plain.problems.map(\.message).joined().contains("scaled one by one"))
    try quantize(model, "model.layers.*", Grid(bits: 4, groupSize: .columns(32)))
    let packed = CompressedTensorsFormat().plan(ModelPromise(model.outline))
    #expect(packed.problems.map(\.message).joined().contains("scaled one by one"))
    #expect(GGUFFormat(type: .lossless).plan(ModelPromise(model.outline)).problems.isEmpty)
  }

  @Test("large models are divided into shards")
  func shards() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let url = tiny.result("folder")
    let format = HuggingFaceFormat(type: .float32, maximumShardByteCount: 100_000)
    expectSameNumbers(model, try export(model, format, to: url))
    #expect(
      FileManager.default.fileExists(
        atPath: url.appending(path: "model.safetensors.index.json").path
      )
    )
  }

  @Test("quantized matrices are widened, and the largest change is reported")
  func widening() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(model, "model.layers.*", Grid(bits: 4, groupSize: .columns(32)))
    let exact = ModelConversion(model, to: HuggingFaceFormat(type: .float32))
    #expect(try exact.write(to: tiny.result("exact")).largestError == nil)
    let rounded = ModelConversion(model, to: HuggingFaceFormat(type: .bfloat16))
    let error = try #require(try rounded.write(to: tiny.result("rounded")).largestError)
    #expect(error.value > 0 && error.value < 0.01)
  }

  @Test("a weight too large for half precision is an error")
  func overflow() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let linear = try #require(model.linears.first)
    linear.weight = DenseWeight(Tensor([Float](repeating: 1e5, count: 64 * 64), shape: [64, 64]))
    #expect {
      try ModelConversion(model, to: HuggingFaceFormat(type: .float16)).write(
        to: tiny.result("folder")
      )
    } throws: { "\($0)".contains("too large for float16") }
  }
}

@Suite("compressed-tensors export")
struct CompressedTensorsExportTests {
  @Test(
    "codes, scales and zeros of every width come back",
    arguments: 2...8,
    [GroupFormat.Zero.symmetric, .integer]
  )
  func roundTrip(bits: Int, zero: GroupFormat.Zero) throws {
    for size in [GroupSize.columns(32), .columns(16), .channel] {
      let tiny = try TinyModel(.init(tiesEmbeddings: bits % 2 == 0, hasBias: bits > 4))
      let model = try tiny.load()
      try quantize(model, "model.layers.*", Grid(bits: bits, groupSize: size, zero: zero))
      let back = try export(model, CompressedTensorsFormat(), to: tiny.result("folder"))
      expectSameNumbers(model, back)
      #expect(back.linears.map(\.format) == model.linears.map(\.format))
      // Up to 0.17, the library leaves bits of a word unused where a code does not fit.
      let crosses = [3, 5, 6, 7].contains(bits)
      let config = try JSONDecoder().decode(
        JSONValue.self,
        from: Data(contentsOf: tiny.result("folder").appending(path: "config.json"))
      )
      let version = config["quantization_config"]?["version"]?.string
      #expect(version == (crosses ? "0.18.0" : "0.17.0"))
      let notes = CompressedTensorsFormat().plan(ModelPromise(model.outline)).notes
      #expect(notes.contains { $0.contains("codes of \(bits) bits are packed across") } == crosses)
    }
  }

  @Test("8 bits per channel can be plain bytes", arguments: [GroupFormat.Zero.symmetric, .integer])
  func plainBytes(zero: GroupFormat.Zero) throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(
      model,
      "model.layers.*",
      Grid(bits: 8, groupSize: .channel, zero: zero, scaleType: .float32)
    )
    let format = CompressedTensorsFormat(layout: .intQuantized)
    let back = try export(model, format, to: tiny.result("folder"))
    expectSameNumbers(model, back)
  }

  @Test("matrices of different grids, and plain ones, share a folder")
  func mixed() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let model = try tiny.load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32)))
    try quantize(model, "*.{q,k}_proj", Grid(bits: 8, groupSize: .columns(64), zero: .integer))
    let url = tiny.result("folder")
    let back = try export(model, CompressedTensorsFormat(type: .float32), to: url)
    expectSameNumbers(model, back)
    #expect(back.matrices.map(\.format) == model.matrices.map(\.format))
    let config = try JSONDecoder().decode(
      JSONValue.self,
      from: Data(contentsOf: url.appending(path: "config.json"))
    )
    let ignored = config["quantization_config"]?["ignore"]?.array ?? []
    #expect(ignored.contains(.string("lm_head")))
    #expect(ignored.contains(.string("model.layers.0.self_attn.v_proj")))
  }

  @Test("what the format cannot hold is refused")
  func refusals() throws {
    func problems(
      _ grid: Grid,
      _ pattern: String = "model.layers.*",
      _ layout: CompressedLayout = .packQuantized
    ) throws -> String {
      let model = try TinyModel().load()
      try quantize(model, pattern, grid)
      let plan = CompressedTensorsFormat(layout: layout).plan(ModelPromise(model.outline))
      return plan.problems.map(\.message).joined(separator: "\n")
    }
    let four = Grid(bits: 4, groupSize: .columns(32))
    #expect(
      try problems(Grid(bits: 4, groupSize: .columns(32), zero: .offset)).contains("zero: integer")
    )
    #expect(try problems(four, "model.layers.*", .intQuantized).contains("use `pack-quantized`"))
    #expect(try problems(four, "model.embed_tokens").contains("is the head as well"))
    #expect(try problems(four, "nothing").contains("no matrix is quantized"))
  }
}
