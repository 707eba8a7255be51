import Checkpoints
import Foundation
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@testable import Export
@testable import Models

/// The section of config.json that describes quantized weights.
private func section(_ url: URL) throws -> JSONValue? {
  let data = try Data(contentsOf: url.appending(path: "config.json"))
  return try JSONDecoder().decode(JSONValue.self, from: data)["quantization_config"]
}

/// What a format has against a model quantized to a grid.
private func problems(
  _ format: some ExportFormat,
  _ grid: Grid,
  _ pattern: String = "model.layers.*"
) throws -> [StageProblem] {
  let model = try TinyModel(.init(tiesEmbeddings: false)).load()
  try quantize(model, pattern, grid)
  return format.plan(ModelPromise(model.outline)).problems
}

@Suite("GPTQ export")
struct GPTQExportTests {
  @Test(
    "codes, scales and zeros of every width come back",
    arguments: [2, 3, 4, 8],
    [GroupFormat.Zero.symmetric, .integer]
  )
  func roundTrip(bits: Int, zero: GroupFormat.Zero) throws {
    for size in [GroupSize.columns(32), .columns(16), .channel] {
      let tiny = try TinyModel(.init(tiesEmbeddings: bits % 2 == 0, hasBias: bits > 3))
      let model = try tiny.load()
      try quantize(model, "model.layers.*", Grid(bits: bits, groupSize: size, zero: zero))
      let url = tiny.result("folder")
      let back = try export(model, GPTQFormat(), to: url)
      expectSameNumbers(model, back)
      #expect(back.linears.map(\.format) == model.linears.map(\.format))
      let version = zero == .symmetric ? "gptq" : "gptq_v2"
      #expect(try section(url)?["checkpoint_format"] == .string(version))
      #expect(try section(url)?["sym"] == .bool(zero == .symmetric))
      let copy = url.appending(path: "quantize_config.json")
      let json = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: copy))
      #expect(try section(url) == json)
    }
  }

  @Test("symmetric zero points are the words that kernels know", arguments: [2, 4, 8])
  func words(bits: Int) throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(model, "model.layers.*", Grid(bits: bits, groupSize: .columns(32)))
    let expected: [Int: [GPTQVersion: UInt32]] = [
      2: [.first: 0x5555_5555, .second: 0xAAAA_AAAA],
      4: [.first: 0x7777_7777, .second: 0x8888_8888],
      8: [.first: 0x7F7F_7F7F, .second: 0x8080_8080],
    ]
    for version in GPTQVersion.allCases {
      let url = tiny.result(version.rawValue)
      try export(model, GPTQFormat(version: version), to: url)
      let zeros = try CheckpointFolder(url.path).open().tensor("model.layers.1.mlp.up_proj.qzeros")
      let words = Set(zeros.elements(as: Int32.self).map { UInt32(bitPattern: $0) })
      #expect(words == [try #require(expected[bits]?[version])])
    }
  }

  @Test("layers of different grids, and plain ones, share a folder")
  func mixed() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32)))
    try quantize(model, "*.{q,k}_proj", Grid(bits: 8, groupSize: .channel, zero: .integer))
    let url = tiny.result("folder")
    let back = try export(model, GPTQFormat(), to: url)
    expectSameNumbers(model, back)
    #expect(back.matrices.map(\.format) == model.matrices.map(\.format))
    let rules = try section(url)?["dynamic"]
    #expect(rules?["+:^model\\.layers\\.0\\.self_attn\\.q_proj$"]?["bits"] == .integer(8))
    #expect(rules?["+:^model\\.layers\\.0\\.self_attn\\.q_proj$"]?["group_size"] == .integer(-1))
    #expect(rules?["-:^model\\.layers\\.1\\.self_attn\\.o_proj$"] == .object([:]))
    #expect(rules?["+:^model\\.layers\\.0\\.mlp\\.up_proj$"] == nil)
  }

  @Test("what the format cannot hold is a problem with its reason")
  func refusals() throws {
    func text(_ grid: Grid, _ pattern: String = "model.layers.*") throws -> String {
      try problems(GPTQFormat(), grid, pattern).map(\.message).joined(separator: "\n")
    }
    let four = Grid(bits: 4, groupSize: .columns(32))
    #expect(
      try text(Grid(bits: 4, groupSize: .columns(32), zero: .offset)).contains("not offsets")
    )
    #expect(try text(Grid(bits: 5, groupSize: .columns(32))).contains("2, 3, 4 or 8 bits"))
    #expect(try text(four, "lm_head").contains("plain embeddings and heads"))
    #expect(try text(four, "nothing").contains("no matrix is quantized"))
    let wide = Grid(bits: 4, groupSize: .columns(32), scaleType: .float32)
    let problem = try #require(try problems(GPTQFormat(), wide).first)
    #expect(problem.option == "rounding")
    #expect(problem.message.contains("`rounding: allowed`"))
  }

  @Test("scales are rounded if allowed, and the largest change is reported")
  func rounding() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let grid = Grid(bits: 4, groupSize: .columns(32), scaleType: .float32)
    try quantize(model, "model.layers.*", grid)
    let url = tiny.result("folder")
    let conversion = ModelConversion(model, to: GPTQFormat(rounding: .allowed))
    let error = try #require(try conversion.write(to: url).largestError)
    let largest = zip(
      dense(model).sorted { $0.key < $1.key },
      dense(try ModelLoader.load(url)).sorted { $0.key < $1.key }
    )
    .map { zip($0.value, $1.value).map { abs($0 - $1) }.max() ?? 0 }.max()
    #expect(error.value > 0 && error.value == largest.map(Double.init))
  }

  @Test("bfloat16 scales that are float16 numbers are stored as they are, others refused")
  func narrowScales() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let grid = Grid(bits: 4, groupSize: .columns(32), scaleType: .bfloat16)
    try quantize(model, "model.layers.*", grid)
    expectSameNumbers(model, try export(model, GPTQFormat(), to: tiny.result("exact")))
    let linear = try #require(model.linears.first)
    let weight = try #require(linear.weight as? GroupQuantizedWeight)
    let tinyScales = [Float](repeating: 1e-12, count: weight.scales.count)
    linear.weight = GroupQuantizedWeight(
      codes: weight.codes,
      scales: Tensor(tinyScales, shape: weight.scales.shape).converted(to: .bfloat16),
      format: weight.groupFormat,
      columns: weight.columns
    )
    let conversion = ModelConversion(model, to: GPTQFormat())
    #expect(conversion.plan.problems.isEmpty)
    let error = #expect(throws: ExportError.self) { try conversion.write(to: tiny.result("other")) }
    #expect(error?.location == linear.name)
    #expect(error?.remedy.contains("rounding: allowed") == true)
  }

  @Test("a zero point of 0 is an error in the first version only")
  func zeroOfZero() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let linear = try #require(model.linears.first)
    let values = (0..<linear.rows * linear.columns).map { Float($0 % 7) }
    linear.weight = DenseWeight(Tensor(values, shape: [linear.rows, linear.columns]))
    try quantize(model, "model.layers.*", Grid(bits: 4, groupSize: .columns(32), zero: .integer))
    expectSameNumbers(model, try export(model, GPTQFormat(), to: tiny.result("second")))
    let first = ModelConversion(model, to: GPTQFormat(version: .first))
    #expect(first.plan.notes.joined().contains("zero point of 0"))
    let error = #expect(throws: ExportError.self) { try first.write(to: tiny.result("first")) }
    #expect(error?.location == linear.name)
    #expect(error?.remedy.contains("gptq_v2") == true)
  }
}

@Suite("AWQ export")
struct AWQExportTests {
  @Test("codes, scales and zeros come back", arguments: [GroupFormat.Zero.symmetric, .integer])
  func roundTrip(zero: GroupFormat.Zero) throws {
    for size in [GroupSize.columns(32), .channel] {
      let tiny = try TinyModel(.init(tiesEmbeddings: false, hasBias: true))
      let model = try tiny.load()
      try quantize(model, "*_proj", Grid(bits: 4, groupSize: size, zero: zero))
      let url = tiny.result("folder")
      let back = try export(model, AWQFormat(), to: url)
      expectSameNumbers(model, back)
      #expect(back.linears.map(\.format) == model.linears.map(\.format))
      #expect(try section(url)?["group_size"] == .integer(size.count ?? -1))
      #expect(try section(url)?["modules_to_not_convert"] == .null)
    }
  }

  @Test("plain layers are listed")
  func plainLayers() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32), zero: .integer))
    let url = tiny.result("folder")
    expectSameNumbers(model, try export(model, AWQFormat(type: .float32), to: url))
    let plain = try section(url)?["modules_to_not_convert"]?.array ?? []
    #expect(plain.count == 9)
    #expect(plain.contains(.string("model.layers.1.self_attn.o_proj")))
  }

  @Test("what the format cannot hold is a problem with its reason")
  func refusals() throws {
    func text(_ grid: Grid, _ pattern: String = "model.layers.*") throws -> String {
      try problems(AWQFormat(), grid, pattern).map(\.message).joined(separator: "\n")
    }
    #expect(try text(Grid(bits: 8, groupSize: .columns(32))).contains("codes of 4 bits"))
    #expect(
      try text(Grid(bits: 4, groupSize: .columns(32), zero: .offset)).contains("not offsets")
    )
    let model = try TinyModel().load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32)))
    try quantize(model, "*.q_proj", Grid(bits: 4, groupSize: .columns(16)))
    let mixed = AWQFormat().plan(ModelPromise(model.outline)).problems
    #expect(mixed.map(\.message).joined().contains("one group size"))
  }
}

@Suite("MLX export")
struct MLXExportTests {
  @Test(
    "codes, scales and offsets of every width come back",
    arguments: [2, 3, 4, 5, 6, 8],
    [GroupFormat.Zero.symmetric, .offset]
  )
  func roundTrip(bits: Int, zero: GroupFormat.Zero) throws {
    for size in [GroupSize.columns(32), .channel] {
      let tiny = try TinyModel(
        .init(tiesEmbeddings: bits % 2 == 0, hasBias: bits > 4, dtype: .float16)
      )
      let model = try tiny.load()
      try quantize(model, "model.*", Grid(bits: bits, groupSize: size, zero: zero))
      let back = try export(model, MLXFormat(), to: tiny.result("folder"))
      expectSameNumbers(model, back)
      #expect(back.embedding.format.isGrouped)
      // 96 columns are three groups, 64 one.
      #expect(Set(back.linears.map(\.format)).count == (size == .channel ? 2 : 1))
    }
  }

  @Test("zero points become offsets that are rounded once, if allowed")
  func zeroPoints() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let grid = Grid(bits: 4, groupSize: .columns(32), zero: .integer)
    try quantize(model, "model.layers.*", grid)
    let problem = try #require(MLXFormat().plan(ModelPromise(model.outline)).problems.first)
    #expect(problem.option == "rounding")
    #expect(problem.message.contains("−scale · zero"))
    // In float32 they are exact.
    expectSameNumbers(model, try export(model, MLXFormat(type: .float32), to: tiny.result("wide")))
    let url = tiny.result("rounded")
    let conversion = ModelConversion(model, to: MLXFormat(rounding: .allowed))
    let error = try #require(try conversion.write(to: url).largestError)
    #expect(error.value > 0 && error.value < 1e-3)
    let read = try ModelLoader.load(url)
    for (linear, stored) in zip(model.linears, read.linears) {
      let own = try #require(linear.weight as? GroupQuantizedWeight)
      let weight = try #require(stored.weight as? GroupQuantizedWeight)
      let scales = own.scales.converted(to: .float32).elements(as: Float.self)
      let zeros = try #require(own.zeroPoints).elements(as: UInt8.self)
      let expected = zip(scales, zeros).map { Float(Float16(-$0 * Float($1))) }
      #expect(weight.offsets?.converted(to: .float32).elements(as: Float.self) == expected)
    }
  }

  @Test("layers of different grids are named")
  func mixed() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let model = try tiny.load()
    try quantize(model, "*.mlp.*", Grid(bits: 4, groupSize: .columns(32)))
    try quantize(model, "lm_head", Grid(bits: 8, groupSize: .columns(64), zero: .offset))
    let url = tiny.result("folder")
    let back = try export(model, MLXFormat(type: .float32), to: url)
    expectSameNumbers(model, back)
    #expect(
      try section(url)
        == .object([
          "bits": .integer(4), "group_size": .integer(32), "mode": .string("affine"),
          "lm_head": .object(["bits": .integer(8), "group_size": .integer(64)]),
        ])
    )
  }

  @Test("what the format cannot hold is a problem with its reason")
  func refusals() throws {
    func text(_ grid: Grid) throws -> String {
      try problems(MLXFormat(), grid).map(\.message).joined(separator: "\n")
    }
    #expect(try text(Grid(bits: 7, groupSize: .columns(32))).contains("2, 3, 4, 5, 6 or 8 bits"))
    #expect(try text(Grid(bits: 4, groupSize: .columns(16))).contains("do not divide groups of 16"))
  }
}

@Suite("Quantized inputs in compressed-tensors")
struct CompressedActivationsTests {
  /// A model whose attention has quantized inputs of both kinds, and whose feed-forward has codes
  /// of 4 bits.
  static func model(_ tiny: TinyModel) throws -> LanguageModel {
    let model = try tiny.load()
    let bytes = Grid(bits: 8, groupSize: .channel, scaleType: .float32)
    try quantize(model, "*.self_attn.*", bytes)
    let four = Grid(bits: 4, groupSize: .columns(32), scaleType: .float32)
    try quantize(model, "*.mlp.*", four)
    for linear in model.linears where linear.name.contains("self_attn") {
      linear.activation =
        linear.name.hasSuffix("o_proj") ? .staticPerTensor(scale: 0.0625) : .dynamicPerToken
    }
    return model
  }

  @Test("they come back, beside packed layers")
  func roundTrip() throws {
    let tiny = try TinyModel()
    let model = try Self.model(tiny)
    let url = tiny.result("folder")
    let back = try export(model, CompressedTensorsFormat(), to: url)
    expectSameNumbers(model, back)
    #expect(back.linears.map(\.activation) == model.linears.map(\.activation))
    let section = try section(url)
    #expect(section?["format"] == .string("mixed-precision"))
    guard case .object(let groups)? = section?["config_groups"] else {
      Issue.record("no groups")
      return
    }
    let formats = groups.values.compactMap { $0["format"]?.string }.sorted()
    #expect(formats == ["int-quantized", "int-quantized", "pack-quantized"])
    let strategies = groups.values.compactMap { $0["input_activations"]?["strategy"]?.string }
    #expect(strategies.sorted() == ["tensor", "token"])
  }

  @Test("what readers do not expect is a problem with its reason")
  func refusals() throws {
    let tiny = try TinyModel()
    let model = try Self.model(tiny)
    func problems(_ format: CompressedTensorsFormat) -> String {
      format.plan(ModelPromise(model.outline)).problems.map(\.message).joined(separator: "\n")
    }
    #expect(
      problems(CompressedTensorsFormat(layout: .packQuantized)).contains("leave `layout` out")
    )
    model.linears.last?.activation = .dynamicPerToken
    #expect(problems(CompressedTensorsFormat()).contains("8 bits per channel"))
    let linear = try #require(model.linears.last)
    linear.weight = DenseWeight(linear.weight.dense)
    #expect(problems(CompressedTensorsFormat()).contains("plain weight"))
    let notes = GGUFFormat(type: .f32).plan(ModelPromise(model.outline)).notes
    #expect(notes.joined().contains("9 layers have quantized inputs"))
  }

  @Test(
    "for other readers",
    .enabled(if: ProcessInfo.processInfo.environment["SLM_INTEROP_FOLDER"] != nil)
  )
  func files() throws {
    let folder = ProcessInfo.processInfo.environment["SLM_INTEROP_FOLDER"] ?? "."
    let tiny = try TinyModel()
    let model = try Self.model(tiny)
    try export(
      model,
      CompressedTensorsFormat(),
      to: URL(filePath: folder).appending(path: "int8-inputs")
    )
  }
}
