internal import Calibrate
internal import Foundation
internal import Models
internal import Pipeline

/// What the loss rises by when an axis is made narrower, measured once and taken to grow with the
/// square of the fraction that is removed.
struct WidthSensitivity {
  /// The fraction removed in the measurement.
  let fraction: Double
  /// What the loss rose by, in nats a token.
  let rise: Double

  /// What the loss is expected to rise by for another fraction.
  func rise(removing fraction: Double) -> Double {
    // A rise of nothing, or less, says only that the text is too short to see one.
    max(rise, 1e-5) * (fraction * fraction) / (self.fraction * self.fraction)
  }
}

extension WidthOptions {
  /// Splits what has to go over the axes.
  ///
  /// Takes step after step from the axis whose expected rise of the loss is least for the weights
  /// that it saves, until as few remain as asked for.
  ///
  /// - Parameters:
  ///   - configuration: The model's configuration.
  ///   - limit: The most weights that may remain.
  ///   - sensitivities: What was measured of each axis.
  /// - Returns: The sizes; the smallest that there are if these have more weights.
  func split(
    _ configuration: ModelConfiguration,
    limit: Int,
    _ sensitivities: [WidthAxis: WidthSensitivity]
  ) -> WidthSizes {
    let whole = WidthSizes(configuration)
    var sizes = whole
    while sizes.applied(to: configuration).parameterCount > limit {
      var best: (axis: WidthAxis, size: Int, price: Double)?
      let count = sizes.applied(to: configuration).parameterCount
      for axis in axes {
        guard let sensitivity = sensitivities[axis] else { continue }
        guard let next = smaller(sizes, axis, configuration) else { continue }
        let size = next[axis]
        func rise(_ size: Int) -> Double {
          sensitivity.rise(removing: 1 - Double(size) / Double(whole[axis]))
        }
        let saved = count - next.applied(to: configuration).parameterCount
        let price = (rise(size) - rise(sizes[axis])) / Double(max(1, saved))
        if best.map({ price < $0.price }) ?? true { best = (axis, size, price) }
      }
      guard let best else { return sizes }
      sizes[best.axis] = best.size
    }
    return sizes
  }

  /// What is wrong with a limit that the smallest sizes do not reach.
  func unreachable(least: Int) -> StageProblem {
    let named = Wording.list(axes.map { "`\($0.rawValue)`" }, "and")
    let others = WidthAxis.allCases.filter { !axes.contains($0) }
    let more =
      others.isEmpty ? "" : "name \(Wording.list(others.map(\.rawValue), "or")) in `axes`, "
    return StageProblem(
      "at least \(least) weights remain however much of \(named) goes; ask for so many, \(more)or "
        + "remove blocks with `prune.depth`",
      option: "parameters_at_most"
    )
  }

  /// The next smaller sizes along an axis that a model may have; nil if there are none.
  private func smaller(
    _ sizes: WidthSizes,
    _ axis: WidthAxis,
    _ configuration: ModelConfiguration
  ) -> WidthSizes? {
    let step = step(axis)
    var next = sizes
    repeat {
      // The first step ends at a multiple.
      next[axis] = (next[axis] - 1) / step * step
      guard next[axis] >= step else { return nil }
    } while !next.applied(to: configuration).isLegal && configuration.isLegal
    return next
  }

  /// Measures what the loss rises by without a quarter of each axis.
  ///
  /// - Returns: What was measured, and the loss of the whole model.
  /// - Throws: `CalibrateError`.
  func sensitivities(
    _ model: LanguageModel,
    _ scores: ChannelScores,
    _ set: CalibrationSet,
    _ context: StageContext
  ) throws -> (axes: [WidthAxis: WidthSensitivity], loss: Double) {
    // Rises are large beside what eight sequences leave uncertain, as all models see the same text.
    let few = CalibrationSet(Array(set.sequences.prefix(8)), name: set.name)
    func loss(_ model: LanguageModel) throws -> Double {
      try meanLoss(of: model, on: few, calibration, scratch: context.stateFolder)
    }
    let whole = WidthSizes(model.configuration)
    let base = try loss(model)
    var result: [WidthAxis: WidthSensitivity] = [:]
    for (index, axis) in axes.enumerated() where result[axis] == nil {
      context.progress(index, of: axes.count, unit: "axes", "measuring \(axis.rawValue)")
      var sizes = whole
      let wanted = Amount.fraction(0.75).resolved(of: whole[axis], multiple: step(axis))
      sizes[axis] = min(wanted, max(step(axis), (whole[axis] - 1) / step(axis) * step(axis)))
      guard sizes[axis] < whole[axis] else { continue }
      let structure = scores.structure(model.configuration, sizes)
      result[axis] = WidthSensitivity(
        fraction: 1 - Double(sizes[axis]) / Double(whole[axis]),
        rise: try loss(model.reduced(to: structure)) - base
      )
    }
    return (result, base)
  }
}
