import Calibrate
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Walking through a model block by block")
struct BlockWalkTests {
  private let set = CalibrationSet(
    (0..<5).map { row in (0..<24).map { Int32(($0 * 7 + row * 31) % 250) } },
    name: "numbers"
  )

  private func walk(_ model: LanguageModel, memory: Int = 1 << 20, original: Bool = false) throws
    -> BlockWalk
  {
    try BlockWalk(
      model,
      set,
      memoryByteCount: memory,
      scratch: FileManager.default.temporaryDirectory,
      followsOriginal: original
    )
  }

  /// The inputs of each group of layers as a plain forward pass sees them.
  private func inputs(_ model: LanguageModel) -> [String: Tensor] {
    var inputs: [String: Tensor] = [:]
    _ = model.hidden(set.sequences, cache: nil) { linear, input in
      inputs[linear.name] = input.reshaped([input.count / linear.columns, linear.columns])
    }
    return inputs
  }

  @Test("balanced inputs are divided by the length of the stream that outputs are added to")
  func balanced() throws {
    let model = try TinyModel().load()
    let walk = try walk(model)
    let plain = try walk.observeBlock(collecting: [.samples], advancing: false)
    let balanced = try walk.observeBlock(collecting: [.samples, .balanced], advancing: false)
    var streams: [Tensor] = []
    try walk.passBlock { _, after in streams.append(after) }
    let after = Tensor.concatenated(streams)
    let squares = (after * after).rowSums().elements(as: Float.self)
    for (group, (plain, balanced)) in zip(plain, balanced).enumerated() {
      let (x, y) = (
        try #require(plain.statistics.samples), try #require(balanced.statistics.samples)
      )
      if group % 2 == 0 {
        #expect(difference(x, y, relative: 0) == nil)
      } else if group == 3 {
        let lengths = squares.map { ($0 / Float(after.shape.columns)).squareRoot() }
        let expected = x / Tensor(lengths, shape: [x.shape.rows, 1])
        #expect(difference(y, expected, relative: 1e-5) == nil)
      }
    }
  }

  @Test("statistics are those of the inputs of a forward pass", arguments: [1 << 20, 0])
  func statistics(memory: Int) throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let inputs = inputs(model)
    let walk = try walk(model, memory: memory)
    var seen: [String] = []
    for _ in model.blocks {
      try walk.walkBlock(collecting: [.gram, .magnitudes, .histogram]) { group in
        let name = group.linears[0].name
        seen += group.linears.map(\.name)
        let x = try #require(inputs[name]).converted(to: .float64)
        let expected = matrixProduct(x, x, firstTransposed: true)
        let gram = try #require(group.statistics.gram)
        #expect(difference(gram, expected, relative: 1e-5, absolute: 1e-4) == nil)
        let rows = x.elements(as: Double.self)
        let width = group.linears[0].columns
        let first = stride(from: 0, to: rows.count, by: width).map { abs(rows[$0]) }
        #expect(group.statistics.rowCount == 120)
        #expect(abs(group.statistics.sumsOfMagnitudes[0] - first.reduce(0, +)) < 1e-4)
        #expect(abs(Double(group.statistics.largestMagnitudes[0]) - (first.max() ?? 0)) < 1e-6)
        #expect(group.statistics.histogram?.total == Int64(rows.count))
      }
    }
    #expect(seen == model.linears.map(\.name))
  }

  @Test("observed statistics are those of a forward pass, whether it steps on or not")
  func observation() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let inputs = inputs(model)
    let walk = try walk(model)
    for index in model.blocks.indices {
      let advancing = index == 0
      let groups = try walk.observeBlock(collecting: [.gram, .samples], advancing: advancing)
      #expect(walk.next == (advancing ? index + 1 : index))
      #expect(groups.map { $0.linears.count } == [3, 1, 2, 1])
      for group in groups {
        let x = try #require(inputs[group.linears[0].name])
        let wide = x.converted(to: .float64)
        let gram = try #require(group.statistics.gram)
        let expected = matrixProduct(wide, wide, firstTransposed: true)
        #expect(difference(gram, expected, relative: 1e-5, absolute: 1e-4) == nil)
        let samples = try #require(group.statistics.samples)
        #expect(difference(samples, x, relative: 1e-5, absolute: 1e-5) == nil)
      }
    }
    try walk.passBlock()
    #expect(walk.next == 2)
  }

  @Test("samples are inputs at even distances, whatever the pieces")
  func samples() throws {
    let inputs = Tensor((0..<600 * 2).map(Float.init), shape: [600, 2])
    let samples = try #require(InputStatistics(of: inputs, collecting: .samples).samples)
    #expect(samples.shape == [200, 2])
    #expect(samples.elements(as: Float.self).prefix(4) == [0, 1, 6, 7])
  }

  @Test("a changed layer is seen by those after it, and not by the original stream")
  func changes() throws {
    let tiny = try TinyModel()
    let (model, changed) = (try tiny.load(), try tiny.load())
    let walk = try walk(model, original: true)
    let target = "model.layers.0.self_attn.v_proj"
    func double(_ linear: Linear) {
      linear.weight = DenseWeight(linear.weight.dense.scaled(by: 2))
    }
    for linear in changed.linears where linear.name == target { double(linear) }
    let inputs = inputs(changed)
    for index in model.blocks.indices {
      try walk.walkBlock(collecting: .gram) { group in
        let x = try #require(inputs[group.linears[0].name]).converted(to: .float64)
        let gram = try #require(group.statistics.gram)
        let expected = matrixProduct(x, x, firstTransposed: true)
        #expect(difference(gram, expected, relative: 1e-5, absolute: 1e-4) == nil)
        for linear in group.linears where linear.name == target { double(linear) }
      }
      #expect(walk.next == index + 1)
    }
  }

  @Test("a whole block has the inputs and outputs of the model before it was changed")
  func wholeBlocks() throws {
    let tiny = try TinyModel()
    let (model, original) = (try tiny.load(), try tiny.load())
    let walk = try walk(model, original: true)
    let untouched = try self.walk(original)
    for _ in model.blocks {
      var expected: Tensor?
      try untouched.passBlock { _, after in expected = after }
      try walk.walkWholeBlock { whole in
        let targets = try whole.targets(0..<whole.sequenceCount)
        let after = try #require(expected).reshaped(targets.shape)
        #expect(difference(targets, after, relative: 1e-6, absolute: 1e-6) == nil)
        let output = whole(try whole.inputs(0..<1))
        #expect(output.shape == [1, 24, 64])
        let down = whole.block.feedForward.down
        down.weight = DenseWeight(down.weight.dense.scaled(by: 0.5))
      }
    }
  }

  @Test("with original inputs no layer sees a change, whole blocks neither")
  func originalInputs() throws {
    let tiny = try TinyModel()
    let inputs = inputs(try tiny.load())
    func walk(_ model: LanguageModel) throws -> BlockWalk {
      try BlockWalk(
        model,
        set,
        memoryByteCount: 1 << 20,
        scratch: FileManager.default.temporaryDirectory,
        inputs: .original
      )
    }
    let model = try tiny.load()
    let layerwise = try walk(model)
    for _ in model.blocks {
      try layerwise.walkBlock(collecting: .gram) { group in
        let x = try #require(inputs[group.linears[0].name]).converted(to: .float64)
        let gram = try #require(group.statistics.gram)
        let expected = matrixProduct(x, x, firstTransposed: true)
        #expect(difference(gram, expected, relative: 1e-5, absolute: 1e-4) == nil)
        for linear in group.linears {
          linear.weight = DenseWeight(linear.weight.dense.scaled(by: 0.5))
        }
      }
    }
    #expect(layerwise.next == 2)
    let (changed, original) = (try tiny.load(), try tiny.load())
    let (blockwise, untouched) = (try walk(changed), try self.walk(original))
    for _ in changed.blocks {
      var expected: Tensor?
      try untouched.passBlock { before, _ in expected = before }
      try blockwise.walkWholeBlock { whole in
        let found = try whole.inputs(0..<whole.sequenceCount)
        let before = try #require(expected).reshaped(found.shape)
        #expect(difference(found, before, relative: 1e-6, absolute: 1e-6) == nil)
        let down = whole.block.feedForward.down
        down.weight = DenseWeight(down.weight.dense.scaled(by: 0.5))
      }
    }
  }
}
