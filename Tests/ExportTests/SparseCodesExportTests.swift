import Checkpoints
import Foundation
import Pipeline
import Quantize
import Sparsity
import Tensor
import TestSupport
import Testing

@testable import Export
@testable import Models

@Suite("Export of sparse codes")
struct SparseCodesExportTests {
  static let twoOfFour = SparsityPattern.groups(nonzero: 2, of: 4)

  /// A model whose blocks are pruned, but for queries, and then rounded to a grid.
  private func quantized(
    _ grid: Grid,
    _ pattern: SparsityPattern = .unstructured,
    sparsity: Double = 0.5,
    _ variant: TinyModel.Variant = .init(tiesEmbeddings: false)
  ) throws -> (TinyModel, LanguageModel) {
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    for linear in model.linears where !linear.name.hasSuffix("q_proj") {
      let weight = linear.weight.dense
      let mask = Mask(weight, sparsity: sparsity, pattern: pattern, scope: .matrix)
      linear.weight = DenseWeight(mask.applied(to: weight).weight)
    }
    try quantize(model, "model.layers.*", grid)
    return (tiny, model)
  }

  @discardableResult
  private func write(_ model: LanguageModel, to url: URL) throws -> ExportSummary {
    try ModelConversion(model, to: CompressedTensorsFormat(sparse: .bitmask)).write(to: url)
  }

  @Test(
    "codes, scales and zero points come back bit for bit",
    arguments: [2, 3, 4, 5, 8],
    [SparsityPattern.unstructured, twoOfFour]
  )
  func roundTrip(bits: Int, pattern: SparsityPattern) throws {
    for zero in [GroupFormat.Zero.symmetric, .integer] {
      for size in [GroupSize.columns(32), .channel] {
        let (tiny, model) = try quantized(Grid(bits: bits, groupSize: size, zero: zero), pattern)
        let url = tiny.result("sparse")
        try write(model, to: url)
        let back = try ModelLoader.load(url)
        let source = try CheckpointFolder(url.path).open()
        for (old, new) in zip(model.matrices, back.matrices) {
          #expect(old.format == new.format)
          let (a, b) = (old.weight.parts, new.weight.parts)
          #expect(a.map(\.suffix) == b.map(\.suffix))
          for (x, y) in zip(a, b) {
            #expect(x.tensor.shape == y.tensor.shape, "\(old.name) \(x.suffix)")
            #expect(x.tensor.storedBytes == y.tensor.storedBytes, "\(old.name) \(x.suffix)")
          }
          guard old.format.isGrouped else { continue }
          let isStored = { (suffix: String) in source.entry("\(old.name).\(suffix)") != nil }
          // Two bits give so many zeros that queries are sparse as well.
          guard bits > 2 else { continue }
          let isSparse = !old.name.hasSuffix("q_proj")
          #expect(isStored("weight_nonzero_packed") == isSparse)
          #expect(isStored("weight_packed") != isSparse)
          #expect((isStored("weight_pairs") != isStored("weight_bitmask")) == isSparse)
          // Three bits give as many zeros more as make pairs about as long as bits.
          guard bits > 3 else { continue }
          let hasPairs = isSparse && pattern == Self.twoOfFour
          #expect(isStored("weight_pairs") == hasPairs, "\(old.name) \(bits)")
        }
      }
    }
  }

  @Test("a matrix takes what the formulas say", arguments: [4, 8])
  func size(bits: Int) throws {
    for pattern in [SparsityPattern.unstructured, Self.twoOfFour] {
      let (tiny, model) = try quantized(Grid(bits: bits, groupSize: .columns(32)), pattern)
      let url = tiny.result("sparse")
      try write(model, to: url)
      let source = try CheckpointFolder(url.path).open()
      for linear in model.linears where !linear.name.hasSuffix("q_proj") {
        let (rows, columns) = (linear.rows, linear.columns)
        let codes = try #require(linear.weight.groupCodes)
        let count = codes.count { $0 != 1 << (bits - 1) }
        let places = ["weight_bitmask", "weight_pairs"].compactMap {
          source.entry("\(linear.name).\($0)")?.byteCount
        }
        let words = source.entry("\(linear.name).weight_nonzero_packed")?.byteCount
        // One bit a code and the others' bits; or 8 bits for twelve codes and half of the codes.
        let bitmask = rows * columns / 8 + (count * bits + 31) / 32 * 4
        let pairs = rows * ((columns + 11) / 12) + rows * columns / 2 * bits / 8
        let expected = pattern == .unstructured ? bitmask : min(bitmask, pairs)
        #expect(places.count == 1)
        #expect(places[0] + (words ?? 0) == expected)
        #expect(Double(expected) < 0.76 * Double(rows * columns * bits / 8))
      }
    }
  }

  @Test("config.json names a format that is ours, for the matrices stored in it")
  func configuration() throws {
    let (tiny, model) = try quantized(Grid(bits: 4, groupSize: .columns(32)))
    let url = tiny.result("sparse")
    try write(model, to: url)
    let data = try Data(contentsOf: url.appending(path: "config.json"))
    let section = try JSONDecoder().decode(JSONValue.self, from: data)["quantization_config"]
    #expect(section?["format"] == .string("sparse-pack-quantized"))
    guard case .object(let groups)? = section?["config_groups"] else {
      Issue.record("no config_groups")
      return
    }
    let formats = groups.values.compactMap { $0["format"]?.string }.sorted()
    #expect(formats == ["pack-quantized", "sparse-pack-quantized"])
  }

  @Test("quantized inputs stay with matrices that are stored sparsely")
  func activations() throws {
    let (tiny, model) = try quantized(Grid(bits: 8, groupSize: .channel))
    for (index, linear) in model.linears.enumerated() {
      linear.activation = index % 2 == 0 ? .dynamicPerToken : .staticPerTensor(scale: 0.25)
    }
    let url = tiny.result("sparse")
    try write(model, to: url)
    let back = try ModelLoader.load(url)
    #expect(back.linears.map(\.activation) == model.linears.map(\.activation))
    expectSameNumbers(model, back)
    let source = try CheckpointFolder(url.path).open()
    #expect(source.entry("model.layers.0.mlp.up_proj.weight_bitmask") != nil)
    #expect(source.entry("model.layers.0.self_attn.q_proj.weight")?.encoding == .elements(.int8))
  }

  @Test("promised zeros are a promise of size; without zeros nothing differs")
  func planning() throws {
    let grid = Grid(bits: 8, groupSize: .columns(32))
    let (tiny, model) = try quantized(grid, Self.twoOfFour)
    var promise = ModelPromise(model.outline)
    promise.update(Set(model.linears.map(\.name).filter { !$0.hasSuffix("q_proj") })) {
      $0.sparsity = 0.5
      $0.zeroPattern = ModelPromise.ZeroPattern(zeros: 2, groupSize: 4)
    }
    let format = CompressedTensorsFormat(sparse: .bitmask)
    let plan = format.plan(promise)
    let url = tiny.result("sparse")
    let summary = try write(model, to: url)
    #expect(!plan.isSizeExact && CompressedTensorsFormat().plan(promise).isSizeExact)
    // Codes that rounding sets to zero are not promised.
    let ratio = Double(summary.tensorByteCount) / Double(plan.byteCount)
    #expect(ratio > 0.98 && ratio <= 1)
    #expect(plan.byteCount < CompressedTensorsFormat().plan(promise).byteCount * 9 / 10)
    let notes = plan.notes.joined(separator: "\n")
    #expect(notes.contains("12 matrices are stored as places"), "\(notes)")
    #expect(notes.contains("slm-compress alone reads the folder"), "\(notes)")
    let full = try TinyModel(.init(tiesEmbeddings: false))
    let plain = try full.load()
    try quantize(plain, "model.layers.*", grid)
    let (sparse, dense) = (full.result("sparse"), full.result("dense"))
    try write(plain, to: sparse)
    _ = try ModelConversion(plain, to: CompressedTensorsFormat()).write(to: dense)
    for name in ["config.json", "model.safetensors"] {
      let a = try Data(contentsOf: sparse.appending(path: name))
      #expect(try a == Data(contentsOf: dense.appending(path: name)))
    }
  }

  @Test("offsets, which have no code of zero, are refused with the reason")
  func offsets() throws {
    let (_, model) = try quantized(Grid(bits: 4, groupSize: .columns(32), zero: .offset))
    let plan = CompressedTensorsFormat(sparse: .bitmask).plan(ModelPromise(model.outline))
    #expect(plan.problems.contains { $0.message.contains("zero points, not offsets") })
  }

  /// A damage to a folder, and what must be said.
  struct Damage: Sendable {
    let pattern: SparsityPattern
    let tensor: String
    /// From the tensor's begin; from its end if negative.
    let byte: Int
    let value: UInt8
    let message: String
    /// The byte of the tensor that is named.
    let named: Int
  }

  static let damages = [
    Damage(
      pattern: .unstructured,
      tensor: "weight_bitmask",
      byte: 0,
      value: 0,
      message: "code",
      named: 0
    ),
    Damage(
      pattern: .unstructured,
      tensor: "weight_bitmask",
      byte: 40,
      value: 0xFF,
      message: "code",
      named: 0
    ),
    Damage(
      pattern: .unstructured,
      tensor: "weight_shape",
      byte: 0,
      value: 1,
      message: "the configuration asks for",
      named: 0
    ),
    Damage(
      pattern: twoOfFour,
      tensor: "weight_shape",
      byte: 15,
      value: 0xFF,
      message: "the configuration asks for",
      named: 8
    ),
    Damage(
      pattern: twoOfFour,
      tensor: "weight_pairs",
      byte: 8,
      value: 216,
      message: "row 1 has pairs that there are not",
      named: 8
    ),
    Damage(
      pattern: twoOfFour,
      tensor: "weight_pairs",
      byte: -1,
      value: 6,
      message: "row 95 has pairs that there are not",
      named: 575
    ),
  ]

  @Test("inconsistent parts are found when the model is opened", arguments: damages.indices)
  func damage(_ index: Int) throws {
    let damage = Self.damages[index]
    let (tiny, model) = try quantized(Grid(bits: 4, groupSize: .columns(32)), damage.pattern)
    let url = tiny.result("sparse")
    try write(model, to: url)
    let name = "model.layers.0.mlp.up_proj.\(damage.tensor)"
    let entry = try #require(try CheckpointFolder(url.path).open().entry(name))
    let file = url.appending(path: "model.safetensors")
    var bytes = try Data(contentsOf: file)
    let range = entry.byteRange
    bytes[(damage.byte < 0 ? range.upperBound : range.lowerBound) + damage.byte] = damage.value
    try bytes.write(to: file)
    let error = #expect(throws: CheckpointError.self) { try ModelLoader.load(url) }
    let text = "\(try #require(error))"
    #expect(text.contains(damage.message), "\(text)")
    #expect(text.contains("up_proj") && text.contains("model.safetensors"), "\(text)")
    let named = damage.tensor == "weight_bitmask" ? nil : range.lowerBound + damage.named
    if let named { #expect(error?.byteOffset == named) }
    #expect(error?.byteOffset != nil)
  }

  @Test("bits behind the last code or column, and places stored twice, are found")
  func crafted() throws {
    let tiny = try TinyModel()
    /// A matrix of 2 rows and 5 columns whose codes have 4 bits.
    func read(_ tensors: [String: Tensor]) throws -> SparseCodes {
      let file = tiny.url.appending(path: "model.safetensors")
      try FileManager.default.removeItem(at: file)
      var writer = try SafetensorsWriter(
        path: file.path,
        tensors: tensors.map { TensorDeclaration($0, dtype: $1.dtype, shape: $1.shape) }
      )
      for (name, tensor) in tensors { try writer.append(tensor, to: name) }
      try writer.finish()
      let weights = FolderWeights(
        tensors: try CheckpointFolder(tiny.url.path).open(),
        file: "model.safetensors",
        quantization: nil
      )
      return try weights.sparseCodes("m", rows: 2, columns: 5, bits: 4)
    }
    let good: [String: Tensor] = [
      "m.weight_shape": Tensor([Int64(2), 5], shape: [2]),
      "m.weight_bitmask": Tensor([UInt8(0b10001), 0b00100], shape: [2, 1]),
      "m.weight_nonzero_packed": Tensor([Int32(0x7F1)], shape: [1]),
    ]
    let format = GroupFormat(bits: 4, groupSize: nil, zero: .symmetric, scaleType: .float16)
    let codes = try read(good).codes(format, columns: 5, zeroPoints: nil)
    #expect(
      codes.unpackedCodes(bits: 4, columns: 5).elements(as: UInt8.self)
        == [9, 8, 8, 8, 7, 8, 8, 15, 8, 8]
    )
    let changes: [(String, Tensor?, String)] = [
      ("m.weight_bitmask", Tensor([UInt8(0b10001), 0b100000], shape: [2, 1]), "row 1 has bits"),
      ("m.weight_nonzero_packed", Tensor([Int32(0x17F1)], shape: [1]), "behind the last code"),
      ("m.weight_nonzero_packed", Tensor([Int32(0x7F1), 0], shape: [2]), "fill 1"),
      ("m.weight_nonzero_packed", Tensor([Int32(0x0F1)], shape: [1]), "names too many"),
      ("m.weight_nonzero_packed", Tensor([Float(1)], shape: [1]), "not [1] of int32"),
      ("m.weight_nonzero_packed", nil, "missing"),
      ("m.weight_shape", nil, "missing"),
      ("m.weight_pairs", Tensor([UInt8(0), 0], shape: [2, 1]), "two ways"),
      ("m.weight_bitmask", Tensor([UInt8(0), 0], shape: [1, 2]), "not [2, 1] of uint8"),
    ]
    for (name, tensor, message) in changes {
      var tensors = good
      tensors[name] = tensor
      let error = #expect(throws: (any Error).self) { _ = try read(tensors) }
      let text = "\(try #require(error))"
      #expect(text.contains(message) && text.contains("m.weight_"), "\(text)")
    }
  }

  @Test("a file that is cut short anywhere is refused")
  func truncated() throws {
    let (tiny, model) = try quantized(Grid(bits: 4, groupSize: .columns(32)), Self.twoOfFour)
    let url = tiny.result("sparse")
    try write(model, to: url)
    let file = url.appending(path: "model.safetensors")
    let bytes = try Data(contentsOf: file)
    for length in stride(from: 0, to: bytes.count, by: bytes.count / 7) {
      try bytes.prefix(length).write(to: file)
      #expect(throws: CheckpointError.self) { try ModelLoader.load(url) }
    }
  }

  @Test("every combination of extents and widths is put together again")
  func extents() throws {
    var random = Random(seed: 5)
    for (rows, columns) in [(1, 1), (3, 8), (5, 9), (2, 12), (4, 20), (3, 28), (7, 64)] {
      for bits in [2, 3, 4, 6, 7, 8] {
        for keep in [0.0, 0.4, 1.0] {
          let chosen = random.uniform([rows, columns], in: 0..<1).elements(as: Float.self)
          let numbers = random.uniform([rows, columns], in: 0..<1).elements(as: Float.self)
          let size = 1 << bits
          var seen = 0
          let codes = zip(chosen, numbers).enumerated().map { index, pair in
            if index % 4 == 0 { seen = 0 }
            let isKept = Double(pair.0) < keep && (keep == 1 || seen < 2)
            seen += isKept ? 1 : 0
            return UInt8(isKept ? Int(pair.1 * Float(size)) : size / 2)
          }
          let packed = Tensor(codes, shape: [rows, columns]).packedCodes(bits: bits)
            .viewedAsBytes().firstBytes((columns * bits + 7) / 8)
          let weight = GroupQuantizedWeight(
            codes: packed,
            scales: Tensor([Float](repeating: 1, count: rows), shape: [rows, 1]),
            format: GroupFormat(bits: bits, groupSize: nil, zero: .symmetric, scaleType: .float32),
            columns: columns
          )
          let counts = SparseCodes.valueCounts(weight)
          #expect((counts[.pairs] != nil) == (columns % 4 == 0 && keep < 1) || keep == 1)
          for (kind, count) in counts {
            let sparse = SparseCodes(weight, kind)
            #expect(sparse.damage(columns: columns) == nil)
            #expect(sparse.valueCount(columns: columns) == count)
            #expect(sparse.words.count == (count * bits + 31) / 32)
            let back = sparse.codes(weight.groupFormat, columns: columns, zeroPoints: nil)
            #expect(back.storedBytes == packed.storedBytes, "\(rows)x\(columns) \(bits) \(kind)")
          }
        }
      }
    }
  }
}

extension Tensor {
  /// The bytes of all elements.
  fileprivate var storedBytes: [UInt8] { viewedAsBytes().elements(as: UInt8.self) }
}
