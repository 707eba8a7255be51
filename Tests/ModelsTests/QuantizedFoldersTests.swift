import Checkpoints
import Foundation
import Models
import Tensor
import Testing

@Suite("GPTQ, AWQ and MLX folders")
struct QuantizedFoldersTests {
  static let goldens = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/folders")

  @Test(
    "codes mean what the formats say, number for number",
    arguments: [
      ("gptq-4", "int4 in groups of 32, symmetric"),
      ("gptq-3-asymmetric", "int3 in groups of 32, asymmetric"),
      ("gptq-v2-channel", "int2 per channel, asymmetric"),
      ("gptq-mixed", "int4 in groups of 16, symmetric"),
      ("awq", "int4 in groups of 32, asymmetric"),
      ("mlx-mixed", "int6 in groups of 32, with offsets"),
    ]
  )
  func golden(name: String, format: String) throws {
    let url = Self.goldens.appending(path: name)
    let model = try ModelLoader.load(url)
    let expected = try SafetensorsFile(path: url.appending(path: "expected.safetensors").path)
    #expect(model.linears.count == expected.entries.count)
    for linear in model.linears {
      let weight = try expected.tensor(linear.name)
      #expect(weight.shape == [linear.rows, linear.columns])
      #expect(linear.weight.dense.elements(as: Float.self) == weight.elements(as: Float.self))
    }
    #expect(model.linears.first.map { "\($0.format)" } == format)
    #expect(model.logits(model.hidden([[1, 2, 3]])).shape == [1, 3, 32])
    let mixed = Set(model.linears.map { "\($0.format)" }).count
    #expect(mixed == (name.hasSuffix("mixed") ? 2 : 1))
  }

  /// A change of a golden folder's configuration or weights that must be refused.
  struct Damage: Sendable, CustomTestStringConvertible {
    var folder: String
    var testDescription: String
    var code: ModelError.Code
    var location: String
    var change: @Sendable (inout JSONValue, inout [String: Tensor]) -> Void
  }

  private static let layer = "model.layers.0.mlp.up_proj"

  private static func section(
    _ folder: String,
    _ key: String,
    _ value: JSONValue?,
    _ code: ModelError.Code,
    _ location: String
  ) -> Damage {
    Damage(
      folder: folder,
      testDescription: "\(folder): \(key)",
      code: code,
      location: location
    ) { json, _ in
      for name in ["quantization_config", "quantization"] where json[name] != nil {
        json[name]?[key] = value
      }
    }
  }

  private static func tensor(
    _ folder: String,
    _ suffix: String,
    _ code: ModelError.Code,
    _ note: String,
    _ change: @escaping @Sendable (Tensor) -> Tensor?
  ) -> Damage {
    Damage(
      folder: folder,
      testDescription: "\(folder): \(suffix) \(note)",
      code: code,
      location: "\(layer).\(suffix)"
    ) { _, tensors in
      let name = "\(layer).\(suffix)"
      tensors[name] = tensors[name].flatMap(change)
    }
  }

  static let damages: [Damage] = [
    section("gptq-4", "checkpoint_format", .string("marlin"), .unsupported, "checkpoint_format"),
    section("gptq-4", "bits", .integer(3), .inconsistent, "qweight"),
    section("gptq-4", "bits", nil, .invalid, "bits"),
    section("gptq-4", "group_size", .integer(64), .inconsistent, "scales"),
    section("gptq-4", "pack_dtype", .string("int64"), .unsupported, "pack_dtype"),
    section("gptq-4", "quant_method", .string("quip"), .unsupported, "quantization_config"),
    section("awq", "version", .string("gemv"), .unsupported, "version"),
    section("awq", "bits", .integer(8), .unsupported, "version"),
    section("awq", "group_size", .integer(0), .invalid, "group_size"),
    section("awq", "group_size", .integer(48), .inconsistent, "q_proj"),
    section("mlx-mixed", "mode", .string("mxfp4"), .unsupported, "quantization"),
    section("mlx-mixed", "bits", .integer(7), .invalid, "quantization"),
    section("mlx-mixed", "group_size", .integer(0), .invalid, "quantization"),
    section("mlx-mixed", layer, .object(["bits": .integer(3)]), .invalid, layer),
    tensor("gptq-4", "scales", .inconsistent, "missing") { _ in nil },
    tensor("gptq-4", "qzeros", .inconsistent, "missing") { _ in nil },
    tensor("gptq-4", "qzeros", .unsupported, "as uint32") { $0.reinterpreted(as: .uint32) },
    tensor("gptq-4", "g_idx", .unsupported, "permuted") {
      Tensor($0.elements(as: Int32.self).reversed(), shape: $0.shape)
    },
    tensor("gptq-4", "g_idx", .inconsistent, "short") { $0.rows(0..<8) },
    tensor("gptq-4", "qweight", .inconsistent, "short") { $0.rows(0..<4) },
    tensor("awq", "qweight", .inconsistent, "short") { $0.rows(0..<4) },
    tensor("awq", "scales", .unsupported, "as int16") { $0.reinterpreted(as: .int16) },
    tensor("mlx-mixed", "biases", .inconsistent, "missing") { _ in nil },
    tensor("mlx-mixed", "biases", .unsupported, "in another type") { $0.converted(to: .float32) },
    tensor("mlx-mixed", "weight", .unsupported, "as int32") { $0.reinterpreted(as: .int32) },
  ]

  @Test("damage is named", arguments: damages)
  func damaged(damage: Damage) throws {
    let folder = try TemporaryFolder()
    let golden = Self.goldens.appending(path: damage.folder)
    let config = try Data(contentsOf: golden.appending(path: "config.json"))
    var json = try JSONDecoder().decode(JSONValue.self, from: config)
    let file = try SafetensorsFile(path: golden.appending(path: "model.safetensors").path)
    var tensors: [String: Tensor] = [:]
    for entry in file.entries { tensors[entry.name] = try file.tensor(entry.name) }
    damage.change(&json, &tensors)
    try json.text().write(to: folder.url.appending(path: "config.json"))
    let sorted = tensors.sorted { $0.key < $1.key }
    var writer = try SafetensorsWriter(
      path: folder.url.appending(path: "model.safetensors").path,
      tensors: sorted.map {
        TensorDeclaration($0.key, dtype: $0.value.dtype, shape: $0.value.shape)
      }
    )
    for (name, tensor) in sorted { try writer.append(tensor, to: name) }
    try writer.finish()
    let error = #expect(throws: ModelError.self) { try ModelLoader.load(folder.url) }
    #expect(error?.code == damage.code, "\(error as Any)")
    #expect(error?.location.hasSuffix(damage.location) == true, "\(error as Any)")
    #expect(error?.remedy.isEmpty == false)
  }
}
