import Foundation
import Tensor
import Testing

@testable import Models

@Suite("compressed-tensors folders")
struct CompressedTensorsTests {
  @Test("rows that do not fill whole words are read", arguments: 2...8)
  func partialWords(bits: Int) throws {
    let folder = try TemporaryFolder()
    let quantized = try QuantizedFolder(folder.url, bits: bits)
    let model = try ModelLoader.load(folder.url)
    for linear in model.linears {
      #expect(linear.weight.dense.elements(as: Float.self) == quantized.expected[linear.name])
    }
    #expect(model.logits(model.hidden([[1, 2, 3]])).shape == [1, 3, QuantizedFolder.vocabulary])
  }

  @Test(
    "what changes numbers and is not computed is refused by name",
    arguments: [
      (["transform_config"], JSONValue.object(["config_groups": .object(["a": .null])])),
      (["sparsity_config"], .object(["format": .string("sparse-24-bitmask")])),
      (
        ["config_groups", "group_0", "input_activations"],
        .object(["num_bits": .integer(8), "dynamic": .bool(true), "symmetric": .bool(false)])
      ),
      (
        ["config_groups", "group_0", "input_activations"],
        .object(["num_bits": .integer(8), "dynamic": .string("local")])
      ),
      (["config_groups", "group_0", "output_activations"], .object(["num_bits": .integer(8)])),
      (["config_groups", "group_0", "targets"], .array([.string("re:(a+)+\\1")])),
    ]
  )
  func unsupported(path: [String], value: JSONValue) throws {
    let folder = try TemporaryFolder()
    let quantized = try QuantizedFolder(folder.url, bits: 4)
    func changed(_ json: JSONValue, _ path: ArraySlice<String>) -> JSONValue {
      guard let key = path.first else { return value }
      var json = json
      json[key] = changed(json[key] ?? .null, path.dropFirst())
      return json
    }
    try quantized.writeConfiguration(changed(QuantizedFolder.section(bits: 4), path[...]))
    let error = #expect(throws: ModelError.self) { try ModelLoader.load(folder.url) }
    #expect(error?.code == .unsupported)
    #expect(error?.location.hasSuffix(path.joined(separator: ".")) == true, "\(error as Any)")
  }

  @Test("reordered groups are refused by name")
  func groupOrder() throws {
    let folder = try TemporaryFolder()
    let quantized = try QuantizedFolder(folder.url, bits: 4)
    let name = "model.layers.0.mlp.up_proj.weight_g_idx"
    try quantized.add(name, Tensor([Int32](repeating: 0, count: 16), shape: [16]))
    let error = #expect(throws: ModelError.self) { try ModelLoader.load(folder.url) }
    #expect(error?.code == .unsupported)
    #expect(error?.location.hasSuffix(name) == true)
  }

  @Test("the group that names a layer most specifically counts, wherever it stands")
  func ranks() throws {
    let name = "model.layers.0.mlp.up_proj"
    let targets = ["Linear", "re:.*mlp.*", name]
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
      let groups = order.enumerated().map { place, target in
        ("group_\(place)", QuantizedFolder.group(bits: 2 + 2 * target, targets: [targets[target]]))
      }
      var section = QuantizedFolder.section(bits: 4)
      section["config_groups"] = .object(Dictionary(uniqueKeysWithValues: groups))
      let reader = try CompressedTensorsReader(section, file: "config.json")
      func bits(_ module: String) -> Int? { reader.group(claiming: module)?.bits }
      #expect(bits(name) == 6)
      #expect(bits("model.layers.0.mlp.down_proj") == 4)
      #expect(bits("model.layers.0.self_attn.q_proj") == 2)
    }
  }
}

@Suite("Patterns of modules")
struct ModulePatternTests {
  static let module = "model.layers.12.self_attn.q_proj"

  @Test(
    "match from the start of a name",
    arguments: [
      (".*self_attn\\.(q|k|v)_proj$", true), ("model", true), ("layers", false), ("", true),
      (".*layers\\.\\d+\\.", true), ("^model\\.layers\\.[0-9]+\\.self.*", true),
      (".*\\.(?:k|v)_proj", false), (".*k_proj|.*q_proj", true), (".*layers\\.1\\.", false),
      (".*layers\\.1[2-4]\\..*", true), (".*layers\\.[^1].*", false), ("model$", false),
      (".*(self_attn|mlp)\\.\\w+$", true), (".*?q_proj", true), ("a^", false),
      ("mod(el)*x?\\.", true),
      ("mode(l|)+\\.", true), (".+proj.+", false), ("(x*)*model", true),
    ]
  )
  func matches(_ text: String, _ expected: Bool) throws {
    #expect(try #require(ModulePattern(text)).matches(Self.module) == expected)
  }

  @Test(
    "of other kinds are not read",
    arguments: [
      "(?!model).*", "(a)\\1", "a{2}", "((a))", "(a", "a)", "[a", "[]", "a**", "*", "\\bmodel",
      "\\",
      "[a-\\d]", "[z-a]", "a*+", "(?i)model", String(repeating: "a", count: 5000),
    ]
  )
  func refused(_ text: String) { #expect(ModulePattern(text) == nil) }

  @Test("have as many alternatives as fit")
  func manyAlternatives() throws {
    let pattern = try #require(ModulePattern("x" + String(repeating: "|x", count: 2000) + "|model"))
    #expect(pattern.matches(Self.module))
  }

  @Test("take no longer the more ways there are")
  func linearTime() throws {
    let pattern = try #require(ModulePattern(String(repeating: "(a|a|.)*", count: 30) + "b"))
    let name = String(repeating: "a", count: 200)
    let time = ContinuousClock().measure {
      let found = pattern.matches(name)
      #expect(!found)
    }
    #expect(time < .seconds(5))
  }
}
