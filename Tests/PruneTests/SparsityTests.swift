import Calibrate
import Foundation
import Sparsity
import Tensor
import TestSupport
import Testing

@testable import Prune

@Suite("Sparsity")
struct SparsityTests {
  private static let golden = Result { try Golden("prune/sparsity.safetensors") }

  private var weights: Tensor { get throws { try Self.golden.get()["weights"] } }

  /// The Gram matrix of the golden inputs.
  private var gram: Tensor {
    get throws {
      let inputs = try Self.golden.get()["inputs"].converted(to: .float64)
      return matrixProduct(inputs, inputs, firstTransposed: true)
    }
  }

  private func mask(_ name: String) throws -> [UInt8] {
    try Self.golden.get()[name].elements(as: UInt8.self)
  }

  private func zeros(_ weight: Tensor) -> [UInt8] {
    weight.elements(as: Float.self).map { $0 == 0 ? 1 : 0 }
  }

  @Test("magnitude masks are the reference's")
  func magnitude() throws {
    let weights = try weights
    let layer = Mask(weights, sparsity: 0.37, pattern: .unstructured, scope: .matrix)
    let layerMarks = try mask("magnitude.layer")
    #expect(layer.marks.elements(as: UInt8.self) == layerMarks)
    let groups = Mask(
      weights,
      sparsity: 0.5,
      pattern: .groups(nonzero: 2, of: 4),
      scope: .matrix
    )
    let groupMarks = try mask("magnitude.2:4")
    #expect(groups.marks.elements(as: UInt8.self) == groupMarks)
    let blocks = Mask(
      weights,
      sparsity: 0.25,
      pattern: .blocks(rows: 4, columns: 8),
      scope: .matrix
    )
    let blockMarks = try mask("magnitude.4x8")
    #expect(blocks.marks.elements(as: UInt8.self) == blockMarks)
  }

  @Test("Wanda's masks are the reference's", arguments: ["0.5", "2:4", "4:8", "3:4", "4x8"])
  func wandaMasks(_ name: String) throws {
    let pattern = SparsityPattern(recipeText: name) ?? .unstructured
    let gram = try gram
    let squares = gram.withElements(as: Double.self) { all in (0..<192).map { all[$0 * 193] } }
    let weights = try weights
    let pruned = wanda(weights, sumsOfSquares: squares, sparsity: 0.5, pattern: pattern)
    let marks = try mask("wanda.\(name)")
    #expect(zeros(pruned.weight) == marks)
    // What stays is as it was.
    for (new, old) in zip(pruned.weight.elements(as: Float.self), weights.elements(as: Float.self))
    {
      #expect(new == 0 || new == old)
    }
  }

  @Test(
    "SparseGPT's masks and weights are the reference's",
    arguments: ["0.5", "0.7", "2:4", "4:8"]
  )
  func sparseGPTWeights(_ name: String) throws {
    let pattern = SparsityPattern(recipeText: name) ?? .unstructured
    let gram = try gram
    let pruned = sparseGPT(
      try weights,
      gram: gram,
      factor: try SparseGPTFactor(gram, damping: 0.01, layer: "layer"),
      sparsity: Double(name) ?? 0,
      pattern: pattern
    )
    let marks = try mask("sparsegpt.\(name)")
    #expect(zeros(pruned.weight) == marks)
    let expected = try Self.golden.get()["sparsegpt.\(name).weights"]
    #expect(difference(pruned.weight, expected, relative: 1e-4, absolute: 1e-6) == nil)
  }

  @Test(
    "SparseGPT's outputs are nearer than Wanda's, for every pattern",
    arguments: [
      SparsityPattern.unstructured, .groups(nonzero: 2, of: 4), .blocks(rows: 4, columns: 8),
    ]
  )
  func errors(_ pattern: SparsityPattern) throws {
    let (weights, gram) = (try weights, try gram)
    let squares = gram.withElements(as: Double.self) { all in (0..<192).map { all[$0 * 193] } }
    let plain = wanda(weights, sumsOfSquares: squares, sparsity: 0.5, pattern: pattern)
    let difference = (weights - plain.weight).converted(to: .float64)
    let plainError = difference.dot(matrixProduct(difference, gram))
    let corrected = sparseGPT(
      weights,
      gram: gram,
      factor: try SparseGPTFactor(gram, damping: 0.01, layer: "layer"),
      sparsity: 0.5,
      pattern: pattern
    )
    #expect(corrected.outputError.error < 0.8 * plainError)
    let mask = zeros(corrected.weight)
    #expect(mask.reduce(0) { $0 + Int($1) } == mask.count / 2)
  }

  @Test(
    "SparseGPT takes as many blocks as the whole matrix is to lose, however wide they are",
    arguments: [
      (SparsityPattern.blocks(rows: 48, columns: 64), 0.2),
      (.blocks(rows: 4, columns: 8), 0.2), (.blocks(rows: 16, columns: 32), 0.45),
    ]
  )
  func blockCounts(_ pattern: SparsityPattern, _ sparsity: Double) throws {
    guard case .blocks(let height, let width) = pattern else { return }
    var random = TinyRandom(seed: 8)
    let (rows, columns) = (48, 640)
    let weights = Tensor((0..<rows * columns).map { _ in random.normal() }, shape: [rows, columns])
    let inputs = Tensor((0..<700 * columns).map { _ in random.normal() }, shape: [700, columns])
      .converted(to: .float64)
    let gram = matrixProduct(inputs, inputs, firstTransposed: true)
    let pruned = sparseGPT(
      weights,
      gram: gram,
      factor: try SparseGPTFactor(gram, damping: 0.01, layer: "layer"),
      sparsity: sparsity,
      pattern: pattern
    )
    let blocks = Int((sparsity * Double(rows * columns / (height * width))).rounded())
    #expect(pruned.weight.zeroCount == blocks * height * width)
  }

  @Test("SparseGPT with strong inputs first is what it is with sorted columns")
  func strongInputsFirst() throws {
    let (weights, gram) = (try weights, try gram)
    let pattern = SparsityPattern.groups(nonzero: 2, of: 4)
    let factor = try SparseGPTFactor(gram, damping: 0.01, sortedBy: 4, layer: "layer")
    let order = factor.columns.order
    #expect(order.sorted() == (0..<192).map(Int32.init) && order != order.sorted())
    let sortedGram = gram.gathered(rows: order).transposed().gathered(rows: order)
    let squares: [Double] = sortedGram.withElements(as: Double.self) { all in
      (0..<192).map { all[$0 * 193] }
    }
    let strengths = (0..<48).map { squares[4 * $0..<4 * $0 + 4].max() ?? 0 }
    #expect(strengths == strengths.sorted(by: >))
    let sorted = sparseGPT(
      weights.transposed().gathered(rows: order).transposed(),
      gram: sortedGram,
      factor: try SparseGPTFactor(sortedGram, damping: 0.01, layer: "layer"),
      sparsity: 0,
      pattern: pattern
    )
    let pruned = sparseGPT(weights, gram: gram, factor: factor, sparsity: 0, pattern: pattern)
    let back = pruned.weight.transposed().gathered(rows: order).transposed()
    let (found, expected) = (
      back.elements(as: Float.self), sorted.weight.elements(as: Float.self)
    )
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(abs(pruned.outputError.error / sorted.outputError.error - 1) < 1e-6)
  }

  @Test(
    "exactly the asked number of weights goes",
    arguments: [0, 0.01, 0.333, 0.5, 0.77, 0.999],
    [(7, 13), (16, 64), (1, 1), (3, 200)]
  )
  func counts(_ sparsity: Double, _ size: (Int, Int)) {
    var random = TinyRandom(seed: 5)
    let count = size.0 * size.1
    // Few different magnitudes: ties must not count double.
    let values = (0..<count).map { _ in (random.normal() * 3).rounded() / 3 }
    let weight = Tensor(values, shape: [size.0, size.1])
    let asked = Int((sparsity * Double(count)).rounded())
    for scope in [Mask.Scope.row, .matrix] {
      let mask = Mask(weight, sparsity: sparsity, pattern: .unstructured, scope: scope)
      let marks = mask.marks.elements(as: UInt8.self)
      #expect(marks.reduce(0) { $0 + Int($1) } == asked)
      guard case .row = scope else { continue }
      for row in 0..<size.0 {
        let inRow = marks[row * size.1..<(row + 1) * size.1].reduce(0) { $0 + Int($1) }
        #expect(abs(Double(inRow) - sparsity * Double(size.1)) <= 1)
      }
    }
  }

  @Test("allocated fractions keep the mean, and spare what has outliers")
  func allocation() {
    let fractions = SparsityAllocation.fractions(0.5, shares: [0.1, 0.3, 0.2], sizes: [1, 1, 2])
    let mean = (fractions[0] + fractions[1] + 2 * fractions[2]) / 4
    #expect(abs(mean - 0.5) < 1e-12)
    #expect(fractions[0] > fractions[2] && fractions[2] > fractions[1])
    #expect(abs(fractions[0] - fractions[1] - 0.16) < 1e-12)
  }

  @Test("allocated fractions keep the mean at the bounds, and without blocks that have no weights")
  func boundedAllocation() {
    func mean(_ fractions: [Double], _ sizes: [Double]) -> Double {
      zip(fractions, sizes).reduce(0) { $0 + $1.0 * $1.1 } / sizes.reduce(0, +)
    }
    // Many blocks with many outliers, so that the others would get more than everything.
    let (shares, sizes) = ([0.1, 0.3, 0.3, 0.3], [1.0, 5, 5, 5])
    for asked in [0.01, 0.5, 0.95, 0.99] {
      let fractions = SparsityAllocation.fractions(asked, shares: shares, sizes: sizes)
      #expect(abs(mean(fractions, sizes) - asked) < 1e-9, "\(asked): \(fractions)")
      #expect(fractions.allSatisfy { (0...0.999).contains($0) })
      #expect(fractions[0] > fractions[1])
    }
    let some = SparsityAllocation.fractions(0.5, shares: [0.1, 0.3, 0.2], sizes: [1, 1, 1])
    let more = SparsityAllocation.fractions(0.5, shares: [0, 0.1, 0.3, 0.2], sizes: [0, 1, 1, 1])
    #expect(Array(more[1...]) == some)
  }

  @Test(
    "patterns are read as they are written",
    arguments: ["unstructured", "2:4", "4:8", "1:64", "16x4", "1x8"]
  )
  func patterns(_ text: String) {
    #expect(SparsityPattern(recipeText: text)?.recipeText == text)
  }

  @Test(
    "what is no pattern is refused",
    arguments: ["4:4", "5:4", "0:4", "2:", ":4", "2:4:8", "1x1", "ax4", "2:65", "", "-1x4"]
  )
  func badPatterns(_ text: String) { #expect(SparsityPattern(recipeText: text) == nil) }

  @Test("amounts are counts, fractions or percentages")
  func amounts() {
    #expect(Amount(recipeText: "5") == .count(5))
    #expect(Amount(recipeText: "0.25") == .fraction(0.25))
    #expect(Amount(recipeText: "25%") == .fraction(0.25))
    for text in ["0", "-1", "1.5", "0.0", "100%", "x", "nan"] {
      #expect(Amount(recipeText: text) == nil)
    }
    #expect(ParameterCount(recipeText: "90M")?.count == 90_000_000)
    #expect(ParameterCount(recipeText: "1.5B")?.count == 1_500_000_000)
    #expect(ParameterCount(recipeText: "135_000")?.recipeText == "135k")
    for text in ["0", "M", "-5M", "1e400", "9999999B", ""] {
      #expect(ParameterCount(recipeText: text) == nil)
    }
  }
}
