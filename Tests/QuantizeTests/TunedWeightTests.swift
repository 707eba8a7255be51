import Checkpoints
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@testable import Quantize

@Suite("Weights in training")
struct TunedWeightTests {
  private static let grids = [
    Grid(bits: 4, groupSize: .columns(32)), Grid(bits: 3, groupSize: .columns(64), zero: .integer),
    Grid(bits: 5, groupSize: .channel, zero: .offset, scaleType: .bfloat16),
    Grid(bits: 8, groupSize: .columns(128), zero: .offset),
  ]

  /// A layer of `[24, 512]` with a quantized weight.
  private static func layer(_ weight: any LinearWeight) -> Linear {
    Linear(name: "layer", stored: StoredWeight(weight))
  }

  /// A weight in a block format with random codes.
  private static func blocks(_ format: BlockFormat) throws -> any LinearWeight {
    var random = TinyRandom(seed: 7)
    let (rows, columns) = (24, 512)
    let byteCount = columns / format.blockLength * format.blockByteCount
    let bytes = (0..<rows * byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
    let weight = BlockQuantizedWeight(
      blocks: Tensor(bytes, shape: [rows, byteCount]),
      format: format,
      columns: columns
    )
    // Random bytes are no usable scales.
    let codes = try #require(ScaledCodes(weight))
    func numbers() -> Tensor {
      Tensor(
        (0..<codes.scales.count).map { _ in 0.01 * (1 + random.normal()) },
        shape: codes.scales.shape
      ).converted(to: .float16)
    }
    return codes.assembled(numbers(), numbers())
  }

  private static func move(_ weight: TunedWeight, seed: UInt64 = 3) {
    var random = TinyRandom(seed: seed)
    for parameter in weight.parameters where !parameter.name.hasSuffix("codes") {
      parameter.value = Tensor(
        (0..<parameter.count).map { _ in 0.05 * random.normal() },
        shape: parameter.shape
      )
    }
  }

  @Test("codes in groups start as they are, and result as they were measured", arguments: grids)
  func groups(grid: Grid) throws {
    let rounded = try roundToNearest(StoredMatrix(randomMatrix(24, 512, seed: 2)), grid: grid)
    let layer = Self.layer(rounded.weight)
    let tuned = try #require(TunedWeight(layer))
    #expect(difference(tuned.composed(), rounded.weight.dense) == nil)
    Self.move(tuned)
    tuned.isRounded = true
    let measured = tuned.composed()
    #expect(difference(measured, rounded.weight.dense) != nil)
    tuned.isRounded = false
    tuned.finish()
    let result = try #require(layer.weight as? GroupQuantizedWeight)
    #expect(difference(result.dense, measured) == nil)
    #expect(unpacked(result) == unpacked(rounded.weight))
    #expect(result.format == rounded.weight.format)
  }

  @Test(
    "blocks start as they are, and result as they were measured",
    arguments: BlockFormat.allCases
  )
  func blocks(format: BlockFormat) throws {
    let weight = try Self.blocks(format)
    let layer = Self.layer(weight)
    let tuned = try #require(TunedWeight(layer))
    // A block of two levels of scales multiplies in another order than levels do.
    let tolerance = format.blockLength == 256 ? 1e-6 * weight.dense.largestMagnitude() : 0
    #expect(difference(tuned.composed(), weight.dense, absolute: tolerance) == nil)
    Self.move(tuned)
    tuned.isRounded = true
    let measured = tuned.composed()
    #expect(difference(measured, weight.dense, absolute: 1e-4) != nil)
    tuned.finish()
    #expect(difference(layer.weight.dense, measured, absolute: tolerance) == nil)
    #expect(layer.weight.format == .blocks(format))
  }

  @Test("plain weights are not trained this way")
  func dense() {
    #expect(TunedWeight(Self.layer(DenseWeight(randomMatrix(4, 32, seed: 1)))) == nil)
  }

  @Test("trained codes start as they are, move by whole codes, and result as they were measured")
  func codes() throws {
    let original = randomMatrix(24, 512, seed: 2)
    for grid in Self.grids {
      let rounded = try roundToNearest(StoredMatrix(original), grid: grid)
      let layer = Self.layer(rounded.weight)
      let tuned = try #require(TunedWeight(layer, unquantized: original, trainsCodes: true))
      #expect(difference(tuned.composed(), rounded.weight.dense, relative: 1e-6) == nil)
      let start = try #require(tuned.packed() as? GroupQuantizedWeight)
      #expect(unpacked(start) == unpacked(rounded.weight))
      let moves = try #require(tuned.parameters.last)
      #expect(moves.value.largestMagnitude() < 0.4901 && moves.value.sumOfSquares() > 0)
      #expect(tuned.note == nil)
      moves.value = Tensor(zeros: moves.shape).scaled(by: 1, shift: 1)
      tuned.isRounded = true
      let measured = tuned.composed()
      tuned.finish()
      let result = try #require(layer.weight as? GroupQuantizedWeight)
      #expect(difference(result.dense, measured) == nil)
      let top = UInt8((1 << grid.bits) - 1)
      #expect(unpacked(result) == unpacked(rounded.weight).map { $0 == top ? top : $0 + 1 })
    }
  }
}

@Suite("Where trained codes start")
struct TunedStartTests {
  /// A weight rounded, and what is taken for the weight before.
  private func moves(_ bits: Int, _ change: (inout Tensor) -> Void) throws -> (Tensor, String?) {
    var original = randomMatrix(24, 128, seed: 2)
    let grid = Grid(bits: bits, groupSize: .columns(32), scale: .leastSquares)
    let rounded = try roundToNearest(StoredMatrix(original), grid: grid)
    change(&original)
    let layer = Linear(name: "layer", stored: StoredWeight(rounded.weight))
    let tuned = try #require(TunedWeight(layer, unquantized: original, trainsCodes: true))
    return (try #require(tuned.parameters.last).value, tuned.note)
  }

  @Test(
    "from the weight before, unless another matrix or another scale stands there",
    arguments: 2...8
  )
  func starts(bits: Int) throws {
    let (same, none) = try moves(bits) { _ in }
    #expect(same.sumOfSquares() > 0 && none == nil)
    let (scaled, note) = try moves(bits) { weights in
      weights.withMutableElements(as: Float.self) { values in
        for index in values.indices { values[index] *= index % 128 < 64 ? 2 : 0.5 }
      }
    }
    #expect(scaled.sumOfSquares() == 0)
    #expect(note?.contains("start from their middle") == true)
    let (other, reason) = try moves(bits) { $0 = randomMatrix(24, 128, seed: 3) }
    #expect(other.sumOfSquares() == 0 && reason?.contains("% of the weights") == true)
  }
}

@Suite("Tuning against torch")
struct TuningGoldenTests {
  @Test(
    "rounding with gradients straight through, of weights and of codes",
    arguments: GroupFormat.Zero.allCases,
    [false, true]
  )
  func rounding(zero: GroupFormat.Zero, countsInScales: Bool) throws {
    let golden = try Golden("tune/rounding.safetensors")
    func array(_ name: String) -> Tensor { golden["\(zero.rawValue).\(name)"] }
    func gradient(_ name: String) -> Tensor {
      array("\(countsInScales ? "given." : "")\(name).gradient")
    }
    let (scales, moves) = (Parameter("s", array("scales")), Parameter("v", array("moves")))
    let offsets = zero == .offset ? Parameter("o", array("offsets")) : nil
    let grid = LevelGrid(
      groupSize: 8,
      top: 15,
      middle: zero == .offset ? 0 : 8,
      zeros: zero == .integer ? array("zeros") : nil,
      countsInScales: countsInScales
    )
    let weight = StoredMatrix(array(countsInScales ? "given" : "weight"))
    let parameters = [scales, moves] + [offsets].compactMap(\.self)
    let gradients = differentiate(parameters) {
      let rounded = scales.value.roundedLevels(
        of: weight,
        grid: grid,
        offsets: offsets?.value,
        moves: moves.value
      )
      #expect(difference(rounded, array("rounded"), absolute: 1e-6) == nil)
      return (rounded * array("cotangent")).summed()
    }.gradients
    for (name, parameter) in [("scales", scales), ("moves", moves)] {
      let found = try #require(gradients[parameter])
      #expect(difference(found, gradient(name), absolute: 2e-5) == nil, "\(name)")
    }
    if let offsets {
      let found = try #require(gradients[offsets])
      #expect(difference(found, gradient("offsets"), absolute: 2e-5) == nil)
    }
    let codes = scales.value.levelCodes(
      of: weight,
      grid: grid,
      offsets: offsets?.value,
      moves: moves.value
    )
    #expect(codes.elements(as: UInt8.self) == array("codes").elements(as: UInt8.self))
  }

  @Test("divergence from the original, and its gradients", arguments: Recomputation.allCases)
  func gradients(recomputation: Recomputation) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/models/llama-grouped")
    let golden = try Golden("tune/model.safetensors")
    let (teacher, model) = (try ModelLoader.load(folder), try ModelLoader.load(folder))
    let weights = try model.linears.map { linear in
      let isOffset = linear.name.contains("layers.1")
      linear.weight = GroupQuantizedWeight(
        codes: golden["\(linear.name).codes"].codeStream(bits: 4),
        scales: golden["\(linear.name).scales"],
        offsets: isOffset ? golden["\(linear.name).offsets"] : nil,
        format: GroupFormat(
          bits: 4,
          groupSize: 8,
          zero: isOffset ? .offset : .symmetric,
          scaleType: .float32
        ),
        columns: linear.columns
      )
      return try #require(TunedWeight(linear))
    }
    for weight in weights { weight.begin() }
    let norms = model.norms.map { $0.makeTrainable() }
    let tokens = golden["tokens"].elements(as: Int32.self)
    let (value, gradients) = differentiate(weights.flatMap(\.parameters) + norms) {
      let hidden = model.trainingHidden(
        tokens,
        rows: 2,
        documentStarts: nil,
        recomputation: recomputation
      )
      let reference = teacher.trainingHidden(
        tokens,
        rows: 2,
        documentStarts: nil,
        recomputation: .none
      )
      return hidden.headDivergence(
        head: model.head.headMatrix,
        reference: .head(hidden: reference, matrix: teacher.head.headMatrix),
        divergence: .forwardKL,
        targets: golden["targets"].elements(as: Int32.self)
      ).value
    }
    #expect(abs(value.scalar - golden["divergence"].scalar) < 1e-6)
    func check(_ parameter: Parameter, _ expected: Tensor) throws {
      let found = try #require(gradients[parameter])
      let tolerance = 1e-4 * expected.largestMagnitude()
      #expect(difference(found, expected, absolute: tolerance) == nil, "\(parameter.name)")
    }
    for weight in weights {
      let name = weight.linear.name
      // By the relative change of the scale, and by that of the offset in eight scales.
      let scales = golden["\(name).scales"]
      try check(weight.parameters[0], golden["\(name).scales.gradient"] * scales)
      if weight.parameters.count > 1 {
        let expected = golden["\(name).offsets.gradient"] * scales.scaled(by: 8)
        try check(weight.parameters[1], expected)
      }
    }
    for norm in norms { try check(norm, golden["\(norm.name).gradient"]) }
  }
}
