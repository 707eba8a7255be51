import Checkpoints
import Foundation
import Models
import Tensor
import Testing

/// Files that others made can hold anything: opening them gives a model or an error, never a trap.
@Suite("Damaged files")
struct DamagedFileTests {
  @Test("a config.json with any values changed opens or is an error", arguments: 0..<8)
  func configurationValues(seed: Int) throws {
    var generator = SeededGenerator(UInt64(seed))
    for golden in GoldenModel.all {
      let original = try configuration(of: golden)
      let folder = try TemporaryFolder()
      try folder.copy(golden)
      for _ in 0..<30 {
        var changed = original
        for _ in 0..<Int.random(in: 1...2, using: &generator) {
          mutate(&changed, using: &generator)
        }
        let data = try changed.text()
        try data.write(to: folder.url.appending(path: "config.json"))
        try open(folder.url, String(decoding: data, as: UTF8.self))
      }
    }
  }

  @Test("a config.json with bytes changed, cut or repeated opens or is an error", arguments: 0..<4)
  func configurationBytes(seed: Int) throws {
    try mutateBytes(of: "config.json", seed: seed, rounds: 30, within: .max)
  }

  @Test("a safetensors header with bytes changed or cut opens or is an error", arguments: 0..<4)
  func headerBytes(seed: Int) throws {
    try mutateBytes(of: "model.safetensors", seed: seed, rounds: 30, within: 3000)
  }

  @Test("a folder of quantized weights changed anywhere opens or is an error", arguments: 0..<4)
  func quantized(seed: Int) throws {
    let (packed, preserved) = (try TemporaryFolder(), try TemporaryFolder())
    _ = try QuantizedFolder(packed.url, bits: 3 + seed, seed: UInt64(seed))
    try ModelWriter(try ModelLoader.load(packed.url), to: preserved.url).finish()
    var generator = SeededGenerator(UInt64(2000 + seed))
    for folder in [packed, preserved] {
      let config = folder.url.appending(path: "config.json")
      let original = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: config))
      for _ in 0..<60 {
        var changed = original
        var section = original["quantization_config"] ?? .null
        for _ in 0..<Int.random(in: 1...2, using: &generator) {
          mutate(&section, using: &generator)
        }
        changed["quantization_config"] = section
        let data = try changed.text()
        try data.write(to: config, options: .atomic)
        try open(folder.url, String(decoding: data, as: UTF8.self))
      }
      try original.text().write(to: config, options: .atomic)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
      for name in names where name != "config.json" {
        try mutateBytes(of: name, in: folder.url, rounds: 30, within: 2000, using: &generator)
      }
    }
  }

  @Test("an index of shards with bytes changed or cut opens or is an error", arguments: 0..<2)
  func indexBytes(seed: Int) throws {
    try mutateBytes(of: "model.safetensors.index.json", seed: seed, rounds: 200, within: .max)
  }

  @Test(
    "what is wrong is named",
    arguments: [
      ("hidden_size", JSONValue.integer(48), "tensor is"),
      ("num_hidden_layers", .integer(3), "missing"),
      ("num_key_value_heads", .integer(3), "do not divide"),
      ("vocab_size", .integer(65), "tensor is"),
      ("model_type", .string("gpt2"), "supported types are"),
      ("hidden_act", .string("gelu"), "gelu"),
      ("num_attention_heads", .integer(-4), "whole number"),
      ("rope_parameters", .object(["rope_type": .string("longrope")]), "longrope"),
      ("rope_parameters", .object(["rope_theta": .integer(0)]), "not above 1"),
      ("quantization_config", .object(["quant_method": .string("quip")]), "quip"),
      ("tie_word_embeddings", .string("yes"), "true or false"),
      ("rms_norm_eps", .number(-1e-5), "0 or a positive number"),
      (
        "rope_parameters",
        .object(["rope_type": .string("divisors"), "divisors": .array([.integer(1)])]),
        "positive numbers are needed"
      ),
      (
        "rope_parameters",
        .object(["rope_type": .string("yarn"), "factor": .integer(2), "beta_fast": .integer(0)]),
        "beta_fast: a positive number"
      ),
      (
        "rope_parameters",
        .object([
          "rope_type": .string("yarn"), "factor": .integer(2), "attention_factor": .integer(-1),
        ]),
        "attention_factor: a positive number"
      ),
    ] as [(String, JSONValue, String)]
  )
  func messages(key: String, value: JSONValue, words: String) throws {
    let golden = GoldenModel(name: "llama-grouped")
    let folder = try TemporaryFolder()
    try folder.copy(golden)
    var changed = try configuration(of: golden)
    changed[key] = value
    try changed.text().write(to: folder.url.appending(path: "config.json"))
    #expect {
      try ModelLoader.load(folder.url)
    } throws: { error in
      error is ModelError && "\(error)".contains(words)
    }
  }
}

extension DamagedFileTests {
  private func configuration(of golden: GoldenModel) throws -> JSONValue {
    let data = try Data(contentsOf: golden.url.appending(path: "config.json"))
    return try JSONDecoder().decode(JSONValue.self, from: data)
  }

  /// Opens and, if that works, uses a model.
  private func open(_ url: URL, _ content: String) throws {
    do {
      let model = try ModelLoader.load(url)
      #expect(model.parameterCount > 0)
      let sequence: [Int32] = [0, 1, Int32(model.configuration.vocabularySize - 1)]
      let logits = model.logits(model.hidden([sequence]))
      #expect(logits.shape == [1, 3, model.configuration.vocabularySize])
    } catch {
      #expect(error is ModelError || error is CheckpointError, "\(error) from \(content)")
      #expect(!"\(error)".isEmpty)
    }
  }

  private func mutateBytes(of file: String, seed: Int, rounds: Int, within limit: Int) throws {
    var generator = SeededGenerator(UInt64(1000 + seed))
    for golden in GoldenModel.all {
      let source = golden.url.appending(path: file)
      guard FileManager.default.fileExists(atPath: source.path) else { continue }
      let folder = try TemporaryFolder()
      try folder.copy(golden)
      try mutateBytes(of: file, in: folder.url, rounds: rounds, within: limit, using: &generator)
    }
  }

  /// Opens a folder with one of its files changed again and again, and restores the file.
  private func mutateBytes(
    of file: String,
    in folder: URL,
    rounds: Int,
    within limit: Int,
    using generator: inout SeededGenerator
  ) throws {
    let target = folder.appending(path: file)
    let original = try Data(contentsOf: target)
    for _ in 0..<rounds {
      let changed = mutated([UInt8](original), within: limit, using: &generator)
      // A file that is mapped must not change: each goes to its place under a new inode.
      try Data(changed).write(to: target, options: .atomic)
      try open(folder, "\(folder.lastPathComponent)/\(file)")
    }
    try original.write(to: target, options: .atomic)
  }

  private func mutated(
    _ original: [UInt8],
    within limit: Int,
    using generator: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = original
    let end = max(1, min(bytes.count, limit))
    let place = Int.random(in: 0..<end, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes = Array(bytes[..<place])
    case 1:
      let count = Int.random(in: 1...16, using: &generator)
      bytes.removeSubrange(place..<min(bytes.count, place + count))
    case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 20)], at: place)
    case 3:
      for _ in 0..<4 {
        let digits = Array("0123456789-{}[]\",:eE.".utf8)
        let index = Int.random(in: 0..<end, using: &generator)
        bytes[index] = digits.randomElement(using: &generator) ?? 0
      }
    default: bytes[place] = UInt8.random(in: 0...255, using: &generator)
    }
    return bytes
  }

  /// Changes a random value inside an object to one that does not belong, or removes it.
  private func mutate(_ value: inout JSONValue, using generator: inout SeededGenerator) {
    guard case .object(var members) = value,
      let key = members.keys.sorted().randomElement(using: &generator)
    else {
      value = strange(value, using: &generator)
      return
    }
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: members[key] = nil
    case 1:
      members[Self.keys.randomElement(using: &generator) ?? key] = strange(value, using: &generator)
    default:
      var member = members[key] ?? .null
      if case .object = member, Bool.random(using: &generator) {
        mutate(&member, using: &generator)
      } else {
        member = strange(member, using: &generator)
      }
      members[key] = member
    }
    value = .object(members)
  }

  private func strange(
    _ value: JSONValue,
    using generator: inout SeededGenerator
  ) -> JSONValue {
    if let number = value.integer, Bool.random(using: &generator) {
      let near = [number + 1, number - 1, 2 * number, number / 2, -number]
      return .integer(near.randomElement(using: &generator) ?? 0)
    }
    return Self.values.randomElement(using: &generator) ?? .null
  }

  private static let keys = [
    "sliding_window", "use_sliding_window", "layer_types", "max_window_layers", "rope_scaling",
    "rope_theta", "partial_rotary_factor", "attention_bias", "mlp_bias", "head_dim",
    "quantization_config", "hidden_act", "rope_parameters", "max_position_embeddings",
  ]

  private static let values: [JSONValue] = [
    .null, .bool(true), .bool(false), .integer(0), .integer(-1), .integer(1), .integer(3),
    .integer(1 << 30), .integer(1 << 31), .integer(.max), .integer(.min), .number(0.5),
    .number(1e308), .number(-1e308), .number(.leastNonzeroMagnitude), .number(-0.0), .string(""),
    .string("yarn"),
    .string("llama"), .string("qwen3"), .string("full_attention"), .array([]), .object([:]),
    .array([.string("full_attention"), .string("sliding_attention")]), .array([.null]),
    .object(["rope_type": .string("yarn"), "factor": .number(1e300)]),
    .object([
      "rope_type": .string("yarn"), "factor": .number(2), "beta_fast": .integer(0),
      "beta_slow": .number(-1), "original_max_position_embeddings": .integer(1),
    ]),
    .object(["type": .string("linear"), "factor": .number(.leastNonzeroMagnitude)]),
    .object([
      "rope_type": .string("llama3"), "factor": .integer(8), "low_freq_factor": .integer(4),
      "high_freq_factor": .integer(4), "original_max_position_embeddings": .integer(.max),
    ]),
    .object([
      "quant_method": .string("slm-compress"), "version": .integer(1),
      "weights": .object([
        "model.layers.0.mlp.up_proj": .object([
          "format": .string("groups"), "bits": .integer(4), "group_size": .integer(.max),
          "zero": .string("symmetric"),
        ])
      ]),
    ]),
    .object([
      "quant_method": .string("compressed-tensors"),
      "config_groups": .object([
        "group_0": .object([
          "targets": .array([.string("Linear"), .string("re:(((")]),
          "weights": .object([
            "num_bits": .integer(4), "type": .string("int"), "strategy": .string("group"),
            "group_size": .integer(.max),
          ]),
        ])
      ]),
    ]),
  ]
}
