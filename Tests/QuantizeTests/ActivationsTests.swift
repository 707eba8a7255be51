import Calibrate
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("quantize.activations")
struct ActivationsTests {
  /// Magnitudes with a few outliers, as inputs of layers have.
  private static func sample(outliers: Int) -> [Float] {
    var random = Random(seed: 3)
    var x = random.normal([40_000]).elements(as: Float.self)
    for index in 0..<outliers { x[index * 7] *= 20 }
    return x
  }

  private static func distribution(_ x: [Float]) -> MagnitudeDistribution {
    var counts = [Int64](repeating: 0, count: 8192)
    for value in x { counts[Int(value.magnitude.bitPattern >> 18)] += 1 }
    return MagnitudeDistribution(counts: counts, largest: x.map(\.magnitude).max() ?? 0)
  }

  /// The relative squared error by definition.
  private static func error(_ x: [Float], _ scale: Float) -> Double {
    var (error, norm) = (0.0, 0.0)
    for value in x {
      let code = min(127, max(-127, (value / scale).rounded(.toNearestOrEven)))
      error += Double(value - code * scale) * Double(value - code * scale)
      norm += Double(value) * Double(value)
    }
    return error / norm
  }

  @Test("the error that a histogram predicts is that of the values", arguments: [0, 5, 400])
  func predictedError(outliers: Int) {
    let x = Self.sample(outliers: outliers)
    let distribution = Self.distribution(x)
    for scale: Float in [0.005, 0.02, 0.1, 0.5, 1.5] {
      let (predicted, real) = (
        distribution.relativeSquaredError(scale: scale), Self.error(x, scale)
      )
      #expect(abs(predicted - real) < 0.03 * real, "scale \(scale)")
      let clipped = Double(x.count { $0.magnitude > 127.5 * scale }) / Double(x.count)
      #expect(abs(distribution.clippedFraction(scale: scale) - clipped) < 2e-3)
    }
  }

  @Test("no scale has a smaller error than that of `mean_squared_error`", arguments: [0, 5, 400])
  func leastError(outliers: Int) {
    let x = Self.sample(outliers: outliers)
    let found = Self.distribution(x).scale(.meanSquaredError, percentile: 100)
    let least = (1...200).map { Self.error(x, found * (0.3 + Float($0) / 100)) }.min() ?? 0
    #expect(Self.error(x, found) < 1.03 * least)
  }

  @Test("`maximum` clips nothing, `percentile` the share that it says")
  func percentiles() {
    let x = Self.sample(outliers: 40)
    let distribution = Self.distribution(x)
    let largest = x.map(\.magnitude).max() ?? 0
    #expect(distribution.scale(.maximum, percentile: 100) == largest / 127)
    for percentile in [90, 99, 99.9] {
      let range = 127 * distribution.scale(.percentile, percentile: percentile)
      let inside = Double(x.count { $0.magnitude <= range }) / Double(x.count) * 100
      #expect(inside >= percentile - 0.01 && inside < percentile + (100 - percentile) / 4)
    }
  }

  @Test("`entropy` cuts off rare outliers and keeps the bulk")
  func entropy() {
    let x = Self.sample(outliers: 5)
    let range = 127 * Self.distribution(x).scale(.entropy, percentile: 100)
    let largest = x.map(\.magnitude).max() ?? 0
    #expect(range > 2 && range < largest / 2)
    // Evenly spread values lose nothing by coarser levels, and everything by clipping.
    let even = (0..<20_000).map { Float($0) / 20_000 }
    #expect(127 * Self.distribution(even).scale(.entropy, percentile: 100) > 0.95)
  }

  @Test("zeros have a scale too")
  func zeros() {
    let distribution = Self.distribution([Float](repeating: 0, count: 10))
    for observer in InputObserver.allCases {
      #expect(distribution.scale(observer, percentile: 99) == 1)
    }
  }

  private func context(_ folder: URL) -> StageContext {
    StageContext(
      modelFolder: folder,
      seed: 1,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: folder),
      writeBlock: { _ in }
    )
  }

  private let ids: [Int32] = (0..<24).map { $0 * 5 % 60 }

  @Test("layers multiply in integers, the promise is kept, and logits stay near")
  func dynamic() throws {
    let tiny = try TinyModel()
    let (model, original) = (try tiny.load(), try tiny.load())
    var options = ActivationsOptions()
    options.selection.exclude = [NamePattern("*.1.mlp.down_proj")]
    var promise = ModelPromise(model.outline)
    let stage = ActivationsStage(options)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    let parts = ModelPromise(model.outline).parts
    #expect(report.layers.count == 13)
    #expect(promise.parts.map(\.format) == parts.map(\.format))
    #expect(promise.parts.map(\.activation) == parts.map(\.activation))
    for layer in report.layers {
      #expect(layer.values["bits"] ?? 0 > 8 && layer.note?.contains("; nearest; inputs") == true)
    }
    for linear in model.linears {
      let isMarked = linear.name != "model.layers.1.mlp.down_proj"
      #expect((linear.activation == .dynamicPerToken) == isMarked)
      #expect(linear.weight.matrix.hasIntegerCodes == isMarked)
    }
    let (y, expected) = (
      model.logits(model.hidden([ids])), original.logits(original.hidden([ids]))
    )
    let distance = (y - expected).sumOfSquares() / expected.sumOfSquares()
    #expect(distance > 1e-7 && distance < 2e-3)
    // Token by token the same numbers come out as for all at once.
    let cache = KeyValueCache(model.configuration, capacity: ids.count)
    let steps = ids.flatMap {
      model.logits(model.hidden([[$0]], cache: cache)).numbers
    }
    #expect(difference(y.numbers, steps, relative: 1e-3, absolute: 1e-3) == nil)
  }

  @Test("static ranges come from calibration, and layers that share an input share one")
  func calibrated() throws {
    let tiny = try TinyModel()
    let (model, original) = (try tiny.load(), try tiny.load())
    var options = ActivationsOptions()
    options.inputs = .staticPerTensor
    options.observer = .maximum
    options.calibration.sequences = 3
    options.calibration.length = 24
    let report = try ActivationsStage(options).run(model, context(tiny.url))
    let scales = model.linears.map { $0.activation?.scale }
    #expect(scales.allSatisfy { ($0 ?? 0) > 0 })
    #expect(scales[0] == scales[1] && scales[0] == scales[2] && scales[4] == scales[5])
    #expect(report.layers.allSatisfy { $0.values["clipped_fraction"] == 0 })
    let (y, expected) = (
      model.logits(model.hidden([ids])), original.logits(original.hidden([ids]))
    )
    #expect((y - expected).sumOfSquares() / expected.sumOfSquares() < 2e-2)
  }

  @Test("integer products are those of the rounded numbers")
  func simulation() throws {
    let tiny = try TinyModel()
    let (model, simulated) = (try tiny.load(), try tiny.load())
    _ = try ActivationsStage(ActivationsOptions()).run(model, context(tiny.url))
    for (linear, other) in zip(model.linears, simulated.linears) {
      other.weight = DenseWeight(linear.weight.dense)
      other.activation = linear.activation
    }
    let (y, expected) = (
      model.logits(model.hidden([ids])), simulated.logits(simulated.hidden([ids]))
    )
    #expect((y - expected).sumOfSquares() / expected.sumOfSquares() < 1e-4)
  }

  @Test("weights with codes that are not around zero are refused by name")
  func misfit() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let linear = model.linears[3]
    let grid = Grid(bits: 8, groupSize: .columns(32), zero: .offset)
    linear.weight = try roundToNearest(linear.weight.matrix, grid: grid).weight
    var promise = ModelPromise(model.outline)
    let problems = ActivationsStage(ActivationsOptions()).check(&promise)
    #expect(problems.map(\.option) == ["targets"])
    #expect(problems.first?.message.contains(linear.name) == true)
    var options = ActivationsOptions()
    options.selection.targets = [NamePattern("*")]
    var whole = ModelPromise(try tiny.load().outline)
    let head = ActivationsStage(options).check(&whole)
    #expect(head.first?.message.contains("is no layer of a block") == true)
  }
}
