internal import Calibrate
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// Finds out how far a model's next-token distributions move with each matrix in each format.
///
/// To second order, the divergence that small changes `δ` of a layer's outputs cause is
/// `½ · δᵀ F δ` with the Fisher information `F`. Its diagonal is taken, from the gradient `g` of the
/// text's log-likelihood by the outputs, and errors of tokens and channels for independent:
///
///     KL per token = ½ · Σ_c mean(g_c²) · mean(δ_c²)        mean(δ_c²) = (ΔW · G · ΔWᵀ)_cc / tokens
///
/// with `G` the Gram matrix of the inputs. What all layers together are predicted to do is compared
/// with what they do in a few complete choices, and predictions are scaled accordingly. Embedding
/// and head, in which every token is another row, are measured outright.
///
/// Source: the diagonal of the Fisher information for the outputs of layers as in Kim et al.,
/// *SqueezeLLM*, 2023, arXiv:2306.07629, section 4.1, there for weights, and Martens and Grosse,
/// *Optimizing Neural Networks with Kronecker-factored Approximate Curvature*, 2015,
/// arXiv:1503.05671, whose two factors are the inputs' Gram matrix and that of the gradients.
/// Deviations: tokens of the text in place of those drawn from the model (the empirical Fisher
/// information); only the diagonal of the gradients' factor; scaled by measurements.
struct SensitivityMeasurement {
  let model: LanguageModel
  let set: CalibrationSet
  let options: AllocateOptions
  let context: StageContext

  /// The sequences on which gradients are computed.
  private static let gradientSequences = 8
  /// The sequences on which divergences are measured.
  private static let measuredSequences = 4

  private var linears: [Linear] { model.linears.filter { options.matrices.selects($0.name) } }

  /// Measures.
  ///
  /// - Throws: ``QuantizeError`` or `CalibrateError` if numbers are not finite.
  /// - Complexity: A forward and backward pass over eight sequences; one forward pass over all
  ///   with every matrix rounded to every candidate; one over four sequences for each candidate of
  ///   embedding and head and for three complete choices.
  func run() throws -> Sensitivities {
    var result = Sensitivities()
    var importance: [String: Tensor] = [:]
    let headInputs = try walk(&result, &importance)
    let reference = OriginalPredictions(
      model,
      Array(set.sequences.prefix(Self.measuredSequences))
    )
    try measureAnchors(&result, importance, reference)
    for linear in [model.embedding, model.untiedHead].compactMap(\.self)
    where options.matrices.selects(linear.name) {
      result.matrices.append(try measured(linear, headInputs, reference))
    }
    return result
  }

  /// Derives what the layers of blocks do in each format, and returns the inputs of the head if it
  /// is to be measured.
  ///
  /// The walk's activations are gone when complete choices of formats are measured.
  private func walk(
    _ result: inout Sensitivities,
    _ importance: inout [String: Tensor]
  ) throws -> HeadInputs? {
    let squares = try OutputGradients(
      model: model,
      sequences: Array(set.sequences.prefix(Self.gradientSequences)),
      selected: Set(linears.map(\.name)),
      memoryByteCount: options.calibration.memory.byteCount,
      scratch: context.folder
    ).meanSquares { done in
      context.progress(done, of: model.blocks.count, unit: "blocks", "gradients of outputs")
    }
    let walk = try BlockWalk(
      model,
      set,
      memoryByteCount: options.calibration.memory.byteCount,
      scratch: context.folder
    )
    for index in model.blocks.indices {
      try walk.walkBlock(collecting: .gram) { inputs in
        guard let gram = inputs.statistics.gram else { return }
        let diagonal = gram.diagonal.converted(to: .float32)
        let mean = gram.scaled(by: 1 / Double(inputs.statistics.rowCount)).converted(to: .float32)
        for linear in inputs.linears where options.matrices.selects(linear.name) {
          guard let squares = squares[linear.name] else { continue }
          importance[linear.name] = diagonal
          result.matrices.append(try derived(linear, mean, diagonal, squares))
        }
      }
      model.blocks[index].release()
      context.progress(index + 1, of: model.blocks.count, unit: "blocks", "errors of candidates")
    }
    guard options.matrices.selects(model.head.name) else { return nil }
    return HeadInputs(model, try walk.observeHead(collecting: .gram))
  }

  // MARK: - Derived

  private func derived(
    _ linear: Linear,
    _ gram: Tensor,
    _ importance: Tensor,
    _ squares: Tensor
  ) throws -> Sensitivities.Matrix {
    let matrix = linear.weight.matrix
    let original = matrix.widened()
    var divergences: [String: Double] = [:]
    for target in options.candidates(columns: linear.columns) {
      let rounded = try target.nearest(
        matrix,
        importance: importance,
        layer: linear.name
      )
      let difference = original - rounded.dense
      let errors = (matrixProduct(difference, gram) * difference).rowSums()  // [outputs]
      let divergence = errors.converted(to: .float64).dot(squares) / 2
      guard divergence.isFinite else { throw QuantizeError.notFinite(.weight, linear.name) }
      divergences[target.format.description] = max(0, divergence)
    }
    return Sensitivities.Matrix(
      name: linear.name,
      columns: linear.columns,
      isMeasured: false,
      divergences: divergences
    )
  }

  // MARK: - Measured

  /// Measures a matrix that is not of a block in each of its formats, rounded as it will be.
  private func measured(
    _ linear: Linear,
    _ headInputs: HeadInputs?,
    _ reference: OriginalPredictions
  ) throws -> Sensitivities.Matrix {
    defer { linear.trial = nil }
    var divergences: [String: Double] = [:]
    let candidates = options.candidates(columns: linear.columns)
    for (index, target) in candidates.enumerated() {
      linear.trial =
        if linear === model.head, let gram = headInputs?.gram {
          try options.rounding.rounded(linear, target, gram).weight
        } else {
          try target.nearest(linear.weight.matrix, importance: nil, layer: linear.name)
        }
      divergences[target.format.description] = try reference.divergence()
      context.progress(index + 1, of: candidates.count, unit: "formats", linear.name)
    }
    return Sensitivities.Matrix(
      name: linear.name,
      columns: linear.columns,
      isMeasured: true,
      divergences: divergences
    )
  }

  /// Measures the smallest choice, the largest, and one of about 4.5 bits.
  ///
  /// All go through the model together, so that no more than a block is ever rounded.
  private func measureAnchors(
    _ result: inout Sensitivities,
    _ importance: [String: Tensor],
    _ reference: OriginalPredictions
  ) throws {
    let choices = anchorChoices()
    var streams = choices.map { _ in reference.streams }
    for block in model.blocks {
      let selected = block.linears.filter { options.matrices.selects($0.name) }
      defer { for linear in selected { linear.trial = nil } }
      for (choice, targets) in choices.enumerated() {
        for linear in selected {
          linear.trial = try targets[linear.name]?.nearest(
            linear.weight.matrix,
            importance: importance[linear.name],
            layer: linear.name
          )
        }
        streams[choice] = streams[choice].map {
          model.stream($0, afterBlock: block.index, documentStarts: nil)
        }
      }
      block.release()
      context.progress(block.index + 1, of: model.blocks.count, unit: "blocks", "complete choices")
    }
    for (targets, streams) in zip(choices, streams) {
      let weights = Double(linears.reduce(0) { $0 + $1.rows * $1.columns })
      let bits = linears.reduce(0.0) { sum, linear in
        let format = targets[linear.name]?.format
        let size = format?.bitsPerWeight(columns: linear.columns) ?? 0
        return sum + Double(linear.rows * linear.columns) * size / max(1, weights)
      }
      result.anchors.append(
        Sensitivities.Anchor(
          bits: bits,
          derived: linears.reduce(0) { sum, linear in
            let format = targets[linear.name]?.format
            return sum + (format.map { result.unscaledDivergence(of: linear.name, $0) } ?? 0)
          },
          measured: try reference.divergence(after: streams)
        )
      )
    }
  }

  /// For each complete choice what every layer becomes: the candidates nearest to some numbers of
  /// bits, each choice once.
  private func anchorChoices() -> [[String: QuantizationTarget]] {
    var choices: [[String: QuantizationTarget]] = []
    for bits in [0, 4.5, 32] where !linears.isEmpty {
      var targets: [String: QuantizationTarget] = [:]
      for linear in linears {
        func distance(_ target: QuantizationTarget) -> Double {
          abs(target.format.bitsPerWeight(columns: linear.columns) - bits)
        }
        targets[linear.name] = options.candidates(columns: linear.columns).min {
          distance($0) < distance($1)
        }
      }
      func formats(_ choice: [String: QuantizationTarget]) -> [String: WeightFormat] {
        choice.mapValues(\.format)
      }
      if choices.last.map(formats) != formats(targets) { choices.append(targets) }
    }
    return choices
  }
}
