package import Models
package import Pipeline
internal import Sparsity
package import Tensor
package import Train

/// The options about zeros of a training: whether those that are there stay, and whether more come.
extension TrainOptions {
  /// Whether the zeros that stages promised of a part outlast the training.
  package func keepsZeros(of part: ModelPromise.Part) -> Bool {
    keepZeros && PrunedMatrix.isPromised(part)
  }

  /// Promises what a training leaves of some parts: elements, and zeros if they are held.
  package func promiseTrained(_ names: Set<String>, _ promise: inout ModelPromise) {
    promise.update(names) { part in
      var own = DType.float32
      if case .elements(let type) = part.format { own = type }
      if !keepsZeros(of: part) {
        part.sparsity = 0
        part.zeroPattern = nil
      }
      part.format = .elements(type.dtype ?? own)
      guard let prune, part.isLinear, prune.selection.selects(part.name) else { return }
      let before = part.sparsity
      part.sparsity = max(before, prune.fraction)
      part.zeroPattern =
        prune.pattern.zeroPattern ?? (before > prune.fraction ? part.zeroPattern : nil)
    }
  }

  /// Finds zeros that cannot be held, and matrices that cannot be pruned.
  package func zeroProblems(
    _ promise: ModelPromise,
    trained: [ModelPromise.Part]
  ) -> [StageProblem] {
    if lora != nil {
      if prune != nil {
        return [
          StageProblem("weights are pruned while they are trained, not adapters", option: "prune")
        ]
      }
      guard let first = trained.first(where: keepsZeros) else { return [] }
      return [
        StageProblem(
          "merging an adapter into `\(first.name)` fills its zeros; train the parts themselves, "
            + "or give the zeros up with `keep_zeros: false`",
          option: "lora"
        )
      ]
    }
    return prune?.check(promise, trained: Set(trained.map(\.name))) ?? []
  }

  /// Remarks about zeros.
  package func zeroNotes(_ trained: [ModelPromise.Part]) -> [String] {
    var notes: [String] = []
    let held = trained.filter(keepsZeros)
    if let first = held.first {
      let others = held.count > 1 ? " to `\(held[held.count - 1].name)`" : ""
      notes.append(
        "zeros of \(Wording.count(held.count, "matrix stay", "matrices stay")) zero: "
          + "`\(first.name)`\(others)"
      )
    }
    let lost = trained.filter { $0.sparsity > 0 && !keepsZeros(of: $0) }
    let reason =
      keepZeros ? "quantized weights become numbers of their own" : "`keep_zeros` is off"
    notes += [PrunedMatrix.note(on: lost.map(\.name), "are lost: \(reason)")].compactMap(\.self)
    if let prune {
      notes.append(
        "weights are pruned to \(prune.fraction) zeros between \(prune.start) and \(prune.end) of "
          + "the steps"
      )
    }
    return notes
  }

  /// What stays zero in a model's parameters, nil for nothing.
  ///
  /// Zeros are held of matrices that are stored as elements and have at least 5 % of them: codes
  /// that stand for zero are no pruning.
  ///
  /// - Parameters:
  ///   - model: The model, whose parameters have their first values.
  ///   - steps: How many steps the training has.
  /// - Returns: What is held.
  package func heldZeros(_ model: LanguageModel, steps: Int) -> HeldZeros? {
    var held: [Parameter] = []
    var free: [Parameter] = []
    var growing: Set<ObjectIdentifier> = []
    for linear in model.matrices {
      guard let parameter = linear.parameter else { continue }
      let isPruned = prune?.selection.selects(linear.name) ?? false
      let isKept = hasZeros(linear, parameter.value)
      if isPruned { growing.insert(ObjectIdentifier(parameter)) }
      if !isKept { free.append(parameter) }
      if isPruned || isKept { held.append(parameter) }
    }
    guard !held.isEmpty else { return nil }
    guard let prune else { return HeldZeros(held, summary: "kept") }
    return HeldZeros(
      held,
      summary: "kept=\(keepZeros) \(prune.recipeNode)",
      completeStep: prune.lastStep(of: steps),
      free: free
    ) { parameter, done in
      guard growing.contains(ObjectIdentifier(parameter)),
        let fraction = prune.fraction(after: done, of: steps)
      else { return nil }
      return Mask.partial(parameter.value, fraction: fraction, pattern: prune.pattern).marks
    }
  }

  /// Whether a matrix has zeros that are to stay.
  package func hasZeros(_ linear: Linear, _ weight: @autoclosure () -> Tensor) -> Bool {
    guard keepZeros, case .elements = linear.format else { return false }
    let weight = weight()
    return Double(weight.zeroCount) >= PrunedMatrix.leastSparsity * Double(weight.count)
      && weight.count > 0
  }
}
