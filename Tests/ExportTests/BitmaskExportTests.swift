import Checkpoints
import Export
import Foundation
import Models
import Pipeline
import Sparsity
import Tensor
import TestSupport
import Testing

@Suite("Export with bitmasks")
struct BitmaskExportTests {
  /// A model of which some layers have zeros.
  private func pruned(_ variant: TinyModel.Variant, sparsity: Double = 0.5) throws -> (
    TinyModel, LanguageModel
  ) {
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    for linear in model.linears where !linear.name.hasSuffix("q_proj") {
      let weight = linear.weight.dense
      let mask = Mask(weight, sparsity: sparsity, pattern: .unstructured, scope: .matrix)
      linear.weight = DenseWeight(mask.applied(to: weight).weight.converted(to: variant.dtype))
    }
    return (tiny, model)
  }

  private func write(_ model: LanguageModel, _ type: ElementType, to url: URL) throws
    -> ExportSummary
  {
    try ModelConversion(model, to: HuggingFaceFormat(type: type, sparse: .bitmask)).write(to: url)
  }

  @Test(
    "comes back bit for bit",
    arguments: [(DType.float32, ElementType.float32), (.bfloat16, .bfloat16), (.float16, .float16)]
  )
  func roundTrip(_ dtype: DType, _ type: ElementType) throws {
    let (tiny, model) = try pruned(.init(tiesEmbeddings: false, dtype: dtype))
    // Negative zeros and whole rows of zeros are numbers like others.
    var weight = model.linears[1].weight.dense
    weight.withMutableElements(as: Float.self) { values in
      for index in 0..<64 { values[index] = 0 }
      values[70] = -0.0
    }
    model.linears[1].weight = DenseWeight(weight.converted(to: dtype))
    let url = tiny.result("sparse")
    _ = try write(model, type, to: url)
    let back = try ModelLoader.load(url)
    for (old, new) in zip(model.matrices, back.matrices) {
      #expect(new.format == .elements(dtype))
      let bits = { (linear: Linear) in
        linear.weight.dense.elements(as: Float.self).map(\.bitPattern)
      }
      #expect(bits(old) == bits(new), "\(old.name)")
    }
    let source = try CheckpointFolder(url.path).open()
    for linear in model.linears {
      let isSparse = !linear.name.hasSuffix("q_proj")
      #expect((source.entry("\(linear.name).compressed") != nil) == isSparse)
      #expect((source.entry("\(linear.name).weight") == nil) == isSparse)
    }
    #expect(source.entry("model.embed_tokens.weight") != nil)
  }

  @Test("half zeros in two bytes take nine sixteenths, and a row its offset")
  func size() throws {
    let (tiny, model) = try pruned(.init(dtype: .bfloat16))
    let url = tiny.result("sparse")
    _ = try write(model, .bfloat16, to: url)
    let source = try CheckpointFolder(url.path).open()
    for linear in model.linears where !linear.name.hasSuffix("q_proj") {
      let parts = ["shape", "compressed", "bitmask", "row_offsets"]
      let size = parts.reduce(0) { $0 + (source.entry("\(linear.name).\($1)")?.byteCount ?? 0) }
      #expect(size == linear.rows * linear.columns * 9 / 8 + 8 * linear.rows + 16)
    }
  }

  @Test("a promise of zeros is a promise of size, and without zeros a folder is plain")
  func planning() throws {
    let (tiny, model) = try pruned(.init(dtype: .bfloat16))
    var promise = ModelPromise(model.outline)
    promise.update(Set(model.linears.map(\.name).filter { !$0.hasSuffix("q_proj") })) {
      $0.sparsity = 0.5
    }
    let plan = HuggingFaceFormat(type: .bfloat16, sparse: .bitmask).plan(promise)
    let summary = try write(model, .bfloat16, to: tiny.result("sparse"))
    #expect(plan.byteCount == summary.tensorByteCount)
    #expect(!plan.isSizeExact && HuggingFaceFormat(type: .bfloat16).plan(promise).isSizeExact)
    #expect(plan.notes.contains { $0.contains("12 matrices are stored") }, "\(plan.notes)")
    let full = try TinyModel(.init(dtype: .bfloat16))
    let (plain, bare) = (full.result("plain"), full.result("bare"))
    _ = try write(try full.load(), .bfloat16, to: plain)
    _ = try ModelConversion(try full.load(), to: HuggingFaceFormat(type: .bfloat16)).write(to: bare)
    for name in ["config.json", "model.safetensors"] {
      let a = try Data(contentsOf: plain.appending(path: name))
      #expect(try a == Data(contentsOf: bare.appending(path: name)))
    }
  }

  /// A damage to a folder, and what must be said.
  struct Damage: Sendable {
    let tensor: String
    let byte: Int
    let value: UInt8
    let message: String
  }

  static let damages = [
    Damage(tensor: "bitmask", byte: 0, value: 0, message: "before it"),
    Damage(tensor: "bitmask", byte: 8, value: 0, message: "before it"),
    Damage(tensor: "row_offsets", byte: 8, value: 0xFF, message: "row 1 begins at value"),
    Damage(tensor: "row_offsets", byte: 15, value: 0xFF, message: "row 1 begins at value"),
    Damage(tensor: "shape", byte: 0, value: 1, message: "the configuration asks for"),
    Damage(tensor: "shape", byte: 7, value: 0xFF, message: "the configuration asks for"),
  ]

  @Test("inconsistent parts are found when the model is opened", arguments: damages.indices)
  func damage(_ index: Int) throws {
    let damage = Self.damages[index]
    let (tiny, model) = try pruned(.init(dtype: .bfloat16))
    let url = tiny.result("sparse")
    _ = try write(model, .bfloat16, to: url)
    let name = "model.layers.0.mlp.up_proj.\(damage.tensor)"
    let entry = try #require(try CheckpointFolder(url.path).open().entry(name))
    let file = url.appending(path: "model.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[entry.byteRange.lowerBound + damage.byte] = damage.value
    try bytes.write(to: file)
    let error = #expect(throws: (any Error).self) { try ModelLoader.load(url) }
    let text = "\(try #require(error))"
    #expect(text.contains(damage.message), "\(text)")
    #expect(text.contains("up_proj"), "\(text)")
    if damage.tensor != "shape" { #expect((error as? CheckpointError)?.byteOffset != nil) }
  }

  @Test("a file that is cut short anywhere is refused")
  func truncated() throws {
    let (tiny, model) = try pruned(.init(dtype: .bfloat16))
    let url = tiny.result("sparse")
    _ = try write(model, .bfloat16, to: url)
    let file = url.appending(path: "model.safetensors")
    let bytes = try Data(contentsOf: file)
    for length in stride(from: 0, to: bytes.count, by: bytes.count / 7) {
      try bytes.prefix(length).write(to: file)
      #expect(throws: CheckpointError.self) { try ModelLoader.load(url) }
    }
  }

  @Test("every combination of extents is put together again")
  func extents() {
    var random = Random(seed: 3)
    for (rows, columns) in [(1, 1), (3, 8), (5, 9), (2, 7), (4, 64), (7, 65)] {
      for keep in [0.0, 0.3, 1.0] {
        let dense = random.normal([rows, columns])
        let chosen = random.uniform([rows, columns], in: 0..<1).elements(as: Float.self)
        let values = zip(dense.elements(as: Float.self), chosen).map {
          Double($0.1) < keep ? $0.0 : 0
        }
        let matrix = BitmaskedMatrix(Tensor(values, shape: [rows, columns]))
        #expect(matrix.dense.elements(as: Float.self) == values)
        #expect(matrix.values.count == values.count { $0 != 0 })
        #expect(BitmaskedMatrix.overlongRow(matrix.bitmask, columns: columns) == nil)
      }
    }
    let bits = Tensor([UInt8(0xFF), 0x01, 0xFF, 0x03], shape: [2, 2])
    #expect(BitmaskedMatrix.overlongRow(bits, columns: 9) == 1)
  }
}
