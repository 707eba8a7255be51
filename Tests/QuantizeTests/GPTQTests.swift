import Calibrate
import Models
import Quantize
import Tensor
import TestSupport
import Testing

/// A case of the goldens.
struct GPTQCase: Sendable, CustomStringConvertible {
  let bits: Int
  let group: Int
  let order: GramFactor.Order

  var description: String { "\(bits).\(group).\(order == .stored ? "stored" : "importance")" }

  static let all: [GPTQCase] = [2, 3, 4, 8].flatMap { bits in
    [32, 48].flatMap { group in
      [GramFactor.Order.stored, .importance].map {
        GPTQCase(bits: bits, group: group, order: $0)
      }
    }
  }
}

@Suite("GPTQ")
struct GPTQTests {
  private func gram(_ inputs: Tensor) -> Tensor {
    let wide = inputs.converted(to: .float64)
    return matrixProduct(wide, wide, firstTransposed: true)
  }

  /// Inputs whose channels go together and differ in strength.
  private func inputs(_ count: Int, _ width: Int, seed: UInt64) -> Tensor {
    let independent = randomMatrix(count, width, seed: seed)
    let mixing = randomMatrix(width, width, seed: seed &+ 1)
    return matrixProduct(independent, mixing)
  }

  @Test("codes and scales equal numpy's", arguments: GPTQCase.all)
  func golden(_ example: GPTQCase) throws {
    let golden = try Golden("quantize/gptq.safetensors")
    let factor = GramFactor(
      gram(golden["inputs"]),
      damping: 0.01,
      ordering: example.order,
      span: example.group
    )
    #expect(factor.damping == 0.01 && factor.deadCount == 0)
    let quantized = try gptq(
      StoredMatrix(golden["weights"]),
      target: .groups(Grid(bits: example.bits, groupSize: .columns(example.group))),
      gram: factor,
      layer: "matrix"
    )
    let weight = try #require(quantized as? GroupQuantizedWeight)
    #expect(unpacked(weight) == golden["\(example).codes"].elements(as: UInt8.self))
    let scales = weight.scales.converted(to: .float32)
    #expect(difference(scales, golden["\(example).scales"]) == nil)
  }

  @Test(
    "codes and scales equal numpy's where zeros are held",
    arguments: GPTQCase.all.filter { $0.bits >= 4 && $0.group == 32 }
  )
  func heldGolden(_ example: GPTQCase) throws {
    let golden = try Golden("quantize/gptq.safetensors")
    let gram = gram(golden["inputs"])
    let factor = GramFactor(gram, damping: 0.01, ordering: example.order, span: 32)
    let pruned = golden["pruned"]
    func quantized(keepsZeros: Bool) throws -> GroupQuantizedWeight {
      let weight = try gptq(
        StoredMatrix(pruned),
        target: .groups(Grid(bits: example.bits, groupSize: .columns(32))),
        gram: factor,
        layer: "matrix",
        keepsZeros: keepsZeros
      )
      return try #require(weight as? GroupQuantizedWeight)
    }
    let weight = try quantized(keepsZeros: true)
    #expect(unpacked(weight) == golden["kept.\(example).codes"].elements(as: UInt8.self))
    let scales = weight.scales.converted(to: .float32)
    #expect(difference(scales, golden["kept.\(example).scales"]) == nil)
    func filled(_ weight: GroupQuantizedWeight) -> Int {
      zip(pruned.elements(as: Float.self), weight.dense.elements(as: Float.self))
        .count { $0 == 0 && $1 != 0 }
    }
    #expect(filled(weight) == 0)
    #expect(filled(try quantized(keepsZeros: false)) > 80)
    // Corrections of what is left make up for more than rounding it to the nearest would.
    let nearest = try roundToNearest(
      StoredMatrix(pruned),
      grid: Grid(bits: example.bits, groupSize: .columns(32))
    )
    let after = OutputError(pruned, weight.dense, gram: gram).squaredError
    #expect(after < OutputError(pruned, nearest.weight.dense, gram: gram).squaredError)
  }

  @Test("zeros are held on every grid that has them", arguments: BlockFormat.allCases)
  func heldInBlocks(_ format: BlockFormat) throws {
    let target = QuantizationTarget.blocks(format)
    let without: [BlockFormat] = [.q4_1, .q5_1, .q2_K, .q4_K, .q5_K, .iq4_NL, .iq4_XS]
    #expect(target.hasExactZero == !without.contains(format))
    guard target.hasExactZero else { return }
    var weights = randomMatrix(8, 512, seed: 3)
    weights.withMutableElements(as: Float.self) { values in
      for index in values.indices where index % 4 < 2 { values[index] = 0 }
    }
    let factor = GramFactor(
      gram(inputs(1024, 512, seed: 4)),
      damping: 0.01,
      ordering: .importance,
      span: target.span(columns: 512)
    )
    let found = try #require(
      try gptq(
        StoredMatrix(weights),
        target: target,
        gram: factor,
        layer: "matrix",
        keepsZeros: true
      )
    )
    let pairs = zip(weights.elements(as: Float.self), found.dense.elements(as: Float.self))
    #expect(pairs.allSatisfy { $0 != 0 || $1 == 0 })
    #expect(pairs.contains { $1 != 0 })
  }

  @Test("outputs are never farther away than rounded to the nearest", arguments: 0..<50)
  func neverWorse(_ seed: Int) throws {
    var (worse, count) = (0, 0)
    for part in 0..<4 {
      let seed = UInt64(seed * 4 + part)
      let weights = randomMatrix(8, 64, seed: seed)
      let gram = gram(inputs(96, 64, seed: seed &+ 1000))
      let zeros: [GroupFormat.Zero] = [.symmetric, .integer, .offset]
      let grid = Grid(
        bits: 2 + Int(seed % 3),
        groupSize: .columns(32),
        zero: zeros[Int(seed / 3) % 3],
        scale: .leastSquares
      )
      let factor = GramFactor(gram, damping: 0.01, ordering: .importance, span: 32)
      let quantized = try gptq(
        StoredMatrix(weights),
        target: .groups(grid),
        gram: factor,
        layer: "matrix"
      )
      let nearest = try roundToNearest(StoredMatrix(weights), grid: grid).weight
      let found = OutputError(weights, try #require(quantized).dense, gram: gram)
      let before = OutputError(weights, nearest.dense, gram: gram)
      count += 1
      if found.squaredError > before.squaredError { worse += 1 }
    }
    #expect(worse == 0 && count == 4)
  }

  @Test(
    "blocks of every format are filled so that outputs come nearer",
    arguments: BlockFormat.allCases
  )
  func blocks(_ format: BlockFormat) throws {
    let weights = randomMatrix(16, 512, seed: 3)
    let gram = gram(inputs(1024, 512, seed: 4))
    let target = QuantizationTarget.blocks(format)
    for order in [GramFactor.Order.stored, .importance] {
      let factor = GramFactor(
        gram,
        damping: 0.01,
        ordering: order,
        span: target.span(columns: 512)
      )
      let found = try #require(
        try gptq(StoredMatrix(weights), target: target, gram: factor, layer: "matrix")
      )
      #expect(found.format == .blocks(format))
      let importance = gram.diagonal.converted(to: .float32)
      let nearest = try target.nearest(
        StoredMatrix(weights),
        importance: importance,
        layer: "matrix"
      )
      let after = OutputError(weights, found.dense, gram: gram).squaredError
      #expect(after < 0.8 * OutputError(weights, nearest.dense, gram: gram).squaredError)
    }
  }

  @Test("channels without inputs, and a Gram matrix of rank one, are no trouble")
  func degenerate() throws {
    let weights = randomMatrix(4, 64, seed: 5)
    let single = inputs(1, 64, seed: 6)
    let rankOne = GramFactor(gram(single), damping: 0, ordering: .stored, span: 32)
    #expect(rankOne.factor != nil && rankOne.damping > 0)
    let nothing = GramFactor(
      Tensor(zeros: [64, 64], dtype: .float64),
      damping: 0,
      ordering: .importance,
      span: 32
    )
    #expect(nothing.deadCount == 64)
    let grid = Grid(bits: 4, groupSize: .columns(32))
    let quantized = try gptq(
      StoredMatrix(weights),
      target: .groups(grid),
      gram: nothing,
      layer: "matrix"
    )
    let nearest = try roundToNearest(StoredMatrix(weights), grid: grid).weight
    #expect(unpacked(try #require(quantized as? GroupQuantizedWeight)) == unpacked(nearest))
  }

  @Test("a damaged weight is an error that names the layer")
  func damaged() throws {
    var elements = randomMatrix(4, 32, seed: 1).elements(as: Float.self)
    elements[7] = .nan
    let factor = GramFactor(
      gram(inputs(64, 32, seed: 2)),
      damping: 0.01,
      ordering: .stored,
      span: 32
    )
    #expect {
      _ = try gptq(
        StoredMatrix(Tensor(elements, shape: [4, 32])),
        target: .groups(Grid(bits: 4, groupSize: .columns(32))),
        gram: factor,
        layer: "a.layer"
      )
    } throws: { error in
      (error as? QuantizeError)?.code == .notFinite && "\(error)".contains("a.layer")
    }
  }
}
