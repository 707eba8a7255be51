import Checkpoints
import Foundation
import Tensor
import Testing

@testable import Models

@Suite("Saving models")
struct ModelWriterTests {
  @Test("a saved model has the same configuration, logits and tensors", arguments: GoldenModel.all)
  func roundTrip(golden: GoldenModel) throws {
    let folder = try TemporaryFolder()
    let model = try golden.load()
    let (tokens, _) = try golden.expected()
    let before = model.logits(model.hidden([tokens]))
    try ModelWriter(model, to: folder.url).finish()
    // The model itself has moved to the new files, and still computes the same.
    #expect(same(model.logits(model.hidden([tokens])), before))
    let saved = try ModelLoader.load(folder.url)
    #expect(saved.configuration == model.configuration)
    #expect(same(saved.logits(saved.hidden([tokens])), before))
    try requireSameTensors(golden.url, folder.url)
  }

  @Test("block by block, shards appear as blocks are finished")
  func blockByBlock() throws {
    let folder = try TemporaryFolder()
    let model = try GoldenModel(name: "llama-sharded").load()
    let writer = ModelWriter(model, to: folder.url)
    try writer.writeBlock(0)
    #expect(writer.finishedBlocks == 1)
    let files = { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
    #expect(try files() == ["model-00001-of-00003.safetensors"])
    try writer.finish()
    #expect(try files().count == 5)
  }

  @Test("quantized weights come back part by part, bit by bit", arguments: [3, 4, 8])
  func groups(bits: Int) throws {
    let folder = try TemporaryFolder()
    let model = try GoldenModel(name: "llama-grouped").load()
    var generator = SeededGenerator(UInt64(bits))
    let zeros: [GroupFormat.Zero] = [.symmetric, .integer, .offset]
    for (index, linear) in model.linears.enumerated() {
      linear.weight = randomWeight(
        linear,
        bits: bits,
        zero: zeros[index % 3],
        groupSize: index % 2 == 0 ? 8 : nil,
        using: &generator
      )
    }
    let tokens: [Int32] = [1, 5, 9, 13]
    let before = model.logits(model.hidden([tokens]))
    let formats = model.linears.map(\.format)
    try ModelWriter(model, to: folder.url).finish()
    let saved = try ModelLoader.load(folder.url)
    #expect(saved.linears.map(\.format) == formats)
    #expect(same(saved.logits(saved.hidden([tokens])), before))
  }

  @Test("how inputs are quantized comes back with weights of every kind")
  func activations() throws {
    let folder = try TemporaryFolder()
    let model = try GoldenModel(name: "llama-grouped").load()
    var generator = SeededGenerator(7)
    for (index, linear) in model.linears.enumerated() {
      if index % 2 == 0 {
        linear.weight = randomWeight(
          linear,
          bits: 8,
          zero: .symmetric,
          groupSize: nil,
          using: &generator
        )
      }
      linear.activation =
        [.dynamicPerToken, .staticPerTensor(scale: 0.1 + Float(index)), nil][index % 3]
    }
    let expected = model.linears.map(\.activation)
    let formats = model.linears.map(\.format)
    try ModelWriter(model, to: folder.url).finish()
    #expect(model.linears.map(\.activation) == expected)
    let saved = try ModelLoader.load(folder.url)
    #expect(saved.linears.map(\.activation) == expected)
    #expect(saved.linears.map(\.format) == formats)
    #expect(
      saved.outline.parts.compactMap(\.activation) == expected.compactMap(\.self).map(\.kind)
    )
  }

  @Test("a scale of inputs that is no positive number is refused", arguments: [0, -1, Float.nan])
  func badInputScale(scale: Float) throws {
    let folder = try TemporaryFolder()
    let model = try GoldenModel(name: "llama-grouped").load()
    let linear = try #require(model.linears.last)
    linear.activation = .staticPerTensor(scale: scale)
    let error = #expect(throws: ModelError.self) {
      try ModelWriter(model, to: folder.url).finish()
      _ = try ModelLoader.load(folder.url)
    }
    #expect(error?.code == .invalid)
    #expect(error?.location.hasSuffix("\(linear.name).input_scale") == true)
  }

  private func randomWeight(
    _ linear: Linear,
    bits: Int,
    zero: GroupFormat.Zero,
    groupSize: Int?,
    using generator: inout SeededGenerator
  ) -> GroupQuantizedWeight {
    let format = GroupFormat(bits: bits, groupSize: groupSize, zero: zero, scaleType: .float32)
    let groups: Shape = [linear.rows, format.groupCount(columns: linear.columns)]
    let codeShape: Shape = [linear.rows, format.codeByteCount(columns: linear.columns)]
    func floats() -> Tensor {
      Tensor(
        (0..<groups.count).map { _ in Float.random(in: -0.1...0.1, using: &generator) },
        shape: groups
      )
    }
    let codes = (0..<codeShape.count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let points = (0..<groups.count).map { _ in
      UInt8.random(in: 0..<UInt8(1 << min(bits, 7)), using: &generator)
    }
    return GroupQuantizedWeight(
      codes: Tensor(codes, shape: codeShape),
      scales: floats(),
      zeroPoints: zero == .integer ? Tensor(points, shape: groups) : nil,
      offsets: zero == .offset ? floats() : nil,
      format: format,
      columns: linear.columns
    )
  }

  private func same(_ a: Tensor, _ b: Tensor) -> Bool {
    a.shape == b.shape && a.elements(as: Float.self) == b.elements(as: Float.self)
  }

  private func requireSameTensors(_ a: URL, _ b: URL) throws {
    let (a, b) = (try CheckpointFolder(a.path).open(), try CheckpointFolder(b.path).open())
    #expect(Set(a.entries.map(\.name)) == Set(b.entries.map(\.name)))
    for entry in a.entries {
      let (first, second) = (try a.tensor(entry.name), try b.tensor(entry.name))
      #expect(first.dtype == second.dtype && first.shape == second.shape)
      let equal = first.withBytes { x in second.withBytes { x.elementsEqual($0) } }
      #expect(equal, "\(entry.name) differs")
    }
  }
}
