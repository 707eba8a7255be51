import Models
import Pipeline
import Tensor
import TestSupport
import Testing

@testable import Quantize

@Suite("Rounding to a calibration text")
struct CalibratedRoundingTests {
  private let target = QuantizationTarget.groups(Grid(bits: 4, groupSize: .columns(32)))

  private func gram(_ inputs: Tensor) -> Tensor {
    let wide = inputs.converted(to: .float64)
    return matrixProduct(wide, wide, firstTransposed: true)
  }

  /// Rounds a matrix of 64 columns, and returns the row of the report and its warnings.
  private func row(
    _ weights: Tensor,
    _ gram: Tensor,
    damping: Double = 0.01
  ) throws -> (values: [String: Double], note: String, warnings: [String], linear: Linear) {
    let linear = Linear(name: "layer", stored: StoredWeight(DenseWeight(weights)))
    var tally = CalibratedTally()
    try CalibratedRounding(order: .importance, damping: damping)
      .round([linear], gram, &tally) { _ in target }
    let report = tally.report
    let layer = try #require(report.layers.first)
    return (layer.values, layer.note ?? "", report.warnings, linear)
  }

  @Test("inputs that all are alike raise the damping, which is told")
  func rankOne() throws {
    let found = try row(
      randomMatrix(16, 64, seed: 1),
      gram(randomMatrix(1, 64, seed: 2)),
      damping: 0
    )
    #expect(found.note.contains("; GPTQ; damping "), "\(found.note)")
    #expect(found.warnings.count == 1 && found.warnings[0].contains("damping"))
    #expect(found.values["dead_columns"] == nil)
    let before = try #require(found.values["nearest_output_error"])
    #expect(try #require(found.values["output_error"]) < before)
  }

  @Test("a Gram matrix that cannot be factored leaves what rounding to the nearest gives")
  func notFactored() throws {
    let elements = (0..<64 * 64).map { $0 % 65 == 0 ? 1.0 : 1000 }
    let found = try row(
      randomMatrix(16, 64, seed: 1),
      Tensor(elements, shape: [64, 64])
    )
    #expect(found.note.contains("; nearest; "), "\(found.note)")
    #expect(found.note.contains("the Gram matrix cannot be factored"))
    #expect(found.warnings.count == 1)
    let nearest = try target.nearest(
      StoredMatrix(randomMatrix(16, 64, seed: 1)),
      importance: nil,
      layer: "layer"
    )
    #expect(difference(found.linear.weight.dense, nearest.dense) == nil)
  }

  @Test(
    "weights on the grid stay as they are, and rounding to the nearest is kept where it is better"
  )
  func onGrid() throws {
    let inputs = gram(randomMatrix(256, 64, seed: 3))
    let rounded = try target.nearest(
      StoredMatrix(randomMatrix(16, 64, seed: 4)),
      importance: nil,
      layer: "layer"
    )
    let still = try row(rounded.dense, inputs)
    #expect(difference(still.linear.weight.dense, rounded.dense) == nil)
    #expect(still.values["output_error"] == 0)
    // One row of almost independent inputs leaves little to gain: some get worse.
    var kept = 0
    for seed in 0..<40 {
      let found = try row(randomMatrix(1, 64, seed: UInt64(seed)), inputs)
      let (before, after) = (found.values["nearest_output_error"], found.values["output_error"])
      guard found.note.contains("no worse than GPTQ") else {
        #expect(found.note.hasSuffix("; GPTQ"), "\(found.note)")
        #expect(try #require(after) <= (try #require(before)))
        continue
      }
      kept += 1
      #expect(after == before && found.note.contains("; nearest; "))
    }
    #expect(kept > 0 && kept < 40)
  }

  @Test("columns without inputs are counted")
  func deadColumns() throws {
    var inputs = randomMatrix(256, 64, seed: 5)
    inputs.withMutableElements(as: Float.self) { values in
      for index in values.indices where [3, 40, 41].contains(index % 64) { values[index] = 0 }
    }
    let found = try row(randomMatrix(4, 64, seed: 6), gram(inputs))
    #expect(found.values["dead_columns"] == 3)
    #expect(found.values["bits"] == 4.5)
  }
}
