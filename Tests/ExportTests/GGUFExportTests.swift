import Checkpoints
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing
import Tokenizers

@testable import Export

@Suite("GGUF export")
struct GGUFExportTests {
  @Test("every kind of model comes back as it was", arguments: variants.indices)
  func roundTrip(_ variant: Int) throws {
    let tiny = try TinyModel(variants[variant])
    let model = try tiny.load()
    let back = try export(model, GGUFFormat(type: .f32), to: tiny.result("model.gguf"))
    expectSameNumbers(model, back)
    #expect(back.configuration.tiesEmbeddings == model.configuration.tiesEmbeddings)
    let ids = try model.tokenizer().encode("the café in London, 1999\n")
    #expect(try back.tokenizer().encode("the café in London, 1999\n") == ids)
    #expect(try back.companions.chatTemplate() == "{{ messages[0]['content'] }}")
    let (a, b) = (model.configuration.rotary.frequencies, back.configuration.rotary.frequencies)
    #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-6 * abs($0) })
  }

  @Test(
    "unquantized matrices get the bytes of ggml's reference rule",
    arguments: [GGUFTensorType.q4_0, .q4_1, .q5_0, .q5_1, .q8_0]
  )
  func reference(_ type: GGUFTensorType) throws {
    let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/quantize")
    let weights = try SafetensorsFile(
      path: golden.appending(path: "round_to_nearest.safetensors").path
    )
    .tensor("weights")
    let blocks = try SafetensorsFile(path: golden.appending(path: "blocks.safetensors").path)
      .tensor(type.rawValue)
    let tiny = try TinyModel()
    let model = try tiny.load()
    // Eight rows of 128 are sixteen of 64, and a matrix of a model repeats them.
    let linear = try #require(model.linears.first { $0.name.hasSuffix("o_proj") })
    let elements = weights.elements(as: Float.self)
    linear.weight = DenseWeight(Tensor((0..<4096).map { elements[$0 % 1024] }, shape: [64, 64]))
    let url = tiny.result("model.gguf")
    try export(model, GGUFFormat(type: type, embedding: type), to: url)
    let stored = try GGUFFile(path: url.path).bytes("blk.0.attn_output.weight")
    let expected = blocks.elements(as: UInt8.self)
    #expect(stored.elements(as: UInt8.self) == expected + expected + expected + expected)
  }

  /// Grids and the block formats that hold them code for code.
  static let exactCases: [(Grid, GGUFTensorType)] = [
    (Grid(bits: 4, groupSize: .columns(32)), .q4_0),
    (Grid(bits: 4, groupSize: .columns(32), scale: .leastSquares), .q4_0),
    (Grid(bits: 4, groupSize: .channel), .q4_0),
    (Grid(bits: 3, groupSize: .columns(32)), .q4_0),
    (Grid(bits: 3, groupSize: .columns(32), zero: .integer), .q4_0),
    (Grid(bits: 4, groupSize: .columns(32), zero: .offset), .q4_1),
    (Grid(bits: 4, groupSize: .columns(32)), .q4_1),
    (Grid(bits: 4, groupSize: .columns(32), zero: .integer), .q5_0),
    (Grid(bits: 5, groupSize: .columns(32)), .q5_0),
    (Grid(bits: 5, groupSize: .columns(32), zero: .offset), .q5_1),
    (Grid(bits: 8, groupSize: .columns(32)), .q8_0),
    (Grid(bits: 8, groupSize: .channel), .q8_0),
    (Grid(bits: 7, groupSize: .columns(32), zero: .integer), .q8_0),
    (Grid(bits: 6, groupSize: .columns(32)), .q8_0),
  ]

  @Test("codes go into blocks as they are", arguments: exactCases.indices)
  func exact(_ index: Int) throws {
    let (grid, type) = Self.exactCases[index]
    let tiny = try TinyModel(variants[index % variants.count])
    let model = try tiny.load()
    try quantize(model, "model.layers.*", grid)
    let back = try export(
      model,
      GGUFFormat(type: type, embedding: .f32),
      to: tiny.result("model.gguf")
    )
    expectSameNumbers(model, back)
    let expected = try #require(
      BlockFormat.allCases.first { $0.name.lowercased() == type.rawValue }
    )
    #expect(back.linears.allSatisfy { $0.format == .blocks(expected) })
    let again = try export(
      back,
      GGUFFormat(type: type, embedding: .f32),
      to: tiny.result("again.gguf")
    )
    #expect(
      again.linears.map { $0.weight.parts[0].tensor.elements(as: UInt8.self) }
        == back.linears.map { $0.weight.parts[0].tensor.elements(as: UInt8.self) }
    )
  }

  @Test("lossless finds the smallest type for each matrix")
  func lossless() throws {
    let tiny = try TinyModel(.init(dtype: .bfloat16))
    let model = try tiny.load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32)))
    try quantize(model, "*.{q,k}_proj", Grid(bits: 4, groupSize: .columns(32), zero: .offset))
    try quantize(model, "model.embed_tokens", Grid(bits: 8, groupSize: .columns(32)))
    let back = try export(model, GGUFFormat(type: .lossless), to: tiny.result("model.gguf"))
    expectSameNumbers(model, back)
    let formats = Dictionary(uniqueKeysWithValues: back.matrices.map { ($0.name, $0.format) })
    #expect(formats["model.layers.0.mlp.up_proj"] == .blocks(.q4_0))
    #expect(formats["model.layers.0.self_attn.q_proj"] == .blocks(.q4_1))
    #expect(formats["model.layers.0.self_attn.o_proj"] == .elements(.bfloat16))
    #expect(formats["model.embed_tokens"] == .blocks(.q8_0))
  }

  @Test("what would be rounded a second time is refused, or done and reported")
  func requantize() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(
      model,
      "model.layers.*",
      Grid(bits: 4, groupSize: .columns(16), zero: .integer)
    )
    let format = GGUFFormat(type: .q4_0)
    let problems = format.plan(ModelPromise(model.outline)).problems
    #expect(problems.count == 1)
    let expected =
      "`model.layers.0.self_attn.q_proj` is int4 in groups of 16, asymmetric: Q4_0 cannot hold it, "
      + "as its groups of 16 are no multiple of a block of 32; `requantize: true` allows rounding "
      + "a second time (and so for 13 more matrices)"
    #expect(problems.first?.message == expected)
    #expect(problems.first?.option == "type")
    let summary = try ModelConversion(model, to: GGUFFormat(type: .q4_0, requantizes: true))
      .write(to: tiny.result("model.gguf"))
    #expect(try #require(summary.largestError).value > 0.001)
  }

  @Test(
    "each constraint of the block formats is named",
    arguments: [
      (
        Grid(bits: 4, groupSize: .columns(32), scaleType: .bfloat16), GGUFTensorType.q4_0,
        "bfloat16"
      ),
      (Grid(bits: 5, groupSize: .columns(32)), .q4_0, "no codes of 5 bits"),
      (Grid(bits: 8, groupSize: .columns(32), zero: .integer), .q8_0, "need 9 bits"),
      (Grid(bits: 4, groupSize: .columns(32), zero: .offset), .q8_0, "no offsets"),
      (Grid(bits: 4, groupSize: .columns(32), zero: .integer), .q4_1, "zero points"),
    ]
  )
  func constraints(_ grid: Grid, _ type: GGUFTensorType, _ reason: String) throws {
    let model = try TinyModel().load()
    try quantize(model, "model.layers.*", grid)
    let problems = GGUFFormat(type: type).plan(ModelPromise(model.outline)).problems
    #expect(problems.first?.message.contains(reason) == true)
  }

  @Test("embedding and head get 8 bits unless told otherwise")
  func vocabulary() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let back = try export(
      try tiny.load(),
      GGUFFormat(type: .q4_0),
      to: tiny.result("model.gguf")
    )
    #expect(back.embedding.format == .blocks(.q8_0))
    #expect(back.head.format == .blocks(.q8_0))
    #expect(back.linears.allSatisfy { $0.format == .blocks(.q4_0) })
  }

  @Test("a file that differs from the model is found")
  func damage() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let url = tiny.result("model.gguf")
    let format = GGUFFormat(type: .q8_0)
    try export(model, format, to: url)
    var data = try Data(contentsOf: url)
    data[data.count - 40] ^= 1
    try data.write(to: url)
    #expect(throws: ExportError.self) { try format.verify(url, against: model) }
  }

  @Test("the model's home is told only if it lies in the hub's cache")
  func provenance() throws {
    let tiny = try TinyModel()
    let config = tiny.url.appending(path: "config.json")
    var json = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: config))
    json["_name_or_path"] = .string("checkpoints/step-100")
    try json.text().write(to: config)
    let cached = tiny.result("models--org--name/snapshots/c1")
    try FileManager.default.createDirectory(at: cached, withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        at: tiny.url.appending(path: name),
        to: cached.appending(path: name)
      )
    }
    func home(_ folder: URL) throws -> String? {
      let file = tiny.result("model.gguf")
      try export(try ModelLoader.load(folder), GGUFFormat(type: .f32), to: file)
      return try GGUFFile(path: file.path).metadata["general.base_model.0.repo_url"]?.string
    }
    #expect(try home(tiny.url) == nil)
    try FileManager.default.removeItem(at: tiny.result("model.gguf"))
    #expect(try home(cached) == "https://huggingface.co/org/name")
  }

  @Test(
    "configurations of every kind are read back as they were",
    arguments: [
      ["model_type": .string("mistral")],
      ["model_type": .string("mistral"), "sliding_window": .integer(5)],
      ["model_type": .string("qwen2"), "attention_bias": .bool(false), "rms_norm_eps": .number(0)],
      [
        "model_type": .string("qwen2"), "sliding_window": .integer(5),
        "use_sliding_window": .bool(true), "max_window_layers": .integer(0),
      ],
      ["rope_parameters": .object(["rope_type": .string("linear"), "factor": .number(2.3)])],
      ["rope_parameters": .object(["rope_theta": .number(12345.678)])],
      [
        "rope_parameters": .object([
          "rope_type": .string("yarn"), "factor": .number(2.3), "attention_factor": .number(0.7),
          "original_max_position_embeddings": .integer(64), "truncate": .bool(false),
        ])
      ],
      [
        "rope_parameters": .object([
          "rope_type": .string("llama3"), "factor": .number(32), "low_freq_factor": .number(2),
          "high_freq_factor": .number(5), "original_max_position_embeddings": .integer(100),
        ])
      ],
    ] as [[String: JSONValue]]
  )
  func configurations(changes: [String: JSONValue]) throws {
    let tiny = try TinyModel(.init(hasBias: true))
    let config = tiny.url.appending(path: "config.json")
    var json = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: config))
    for (key, value) in changes { json[key] = value }
    try json.text().write(to: config)
    let model = try tiny.load()
    let back = try export(model, GGUFFormat(type: .f32), to: tiny.result("model.gguf"))
    expectSameNumbers(model, back)
    #expect(back.configuration.slidingWindow == model.configuration.slidingWindow)
  }

  @Test("a file is another model if more differs than GGUF rounds or renames")
  func otherConfiguration() throws {
    let configuration = try TinyModel().load().configuration
    var read = configuration
    read.normEpsilon = Double(Float(read.normEpsilon))
    var other = configuration
    other.architecture = .mistral
    #expect(other.readFromGGUF(as: read) == read)
    other.contextLength += 1
    other.rotary.base *= 2
    #expect(other.readFromGGUF(as: read).differences(from: read) == ["contextLength", "rotary"])
  }

  @Test("a weight that is not a number is an error that names the matrix")
  func notFinite() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    var elements = [Float](repeating: 0.5, count: 64 * 64)
    elements[70] = .nan
    let linear = try #require(model.linears.first)
    linear.weight = DenseWeight(Tensor(elements, shape: [64, 64]))
    #expect {
      try ModelConversion(model, to: GGUFFormat(type: .q8_0)).write(to: tiny.result("model.gguf"))
    } throws: { "\($0)".hasPrefix("model.layers.0.self_attn.q_proj: a weight is infinite") }
    #expect(!FileManager.default.fileExists(atPath: tiny.result("model.gguf").path))
  }
}
