internal import Tensor

/// What a step computed.
struct TakenStep {
  var loss: Double
  var rate: Double
  var gradientNorm: Double
  var tokenCount: Int
}

extension TrainingRun {
  /// Computes the gradient of a step's batches and changes the parameters.
  func takeStep(_ step: Int) throws -> TakenStep {
    let parts = try (0..<loop.options.partsPerStep).map { part in
      let batch = try loop.batch(step, part)
      return (number: part, batch: batch, tokenCount: loop.tokenCount(batch))
    }
    let tokenCount = parts.reduce(0) { $0 + $1.tokenCount }
    // The mean over no tokens is not a number and would spoil the sum even with weight 0.
    let used = parts.filter { $0.tokenCount > 0 }
    let rate = loop.options.schedule.rate(at: step)
    var taken = TakenStep(loss: 0, rate: rate, gradientNorm: 0, tokenCount: tokenCount)
    // A step in which nothing counts changes nothing.
    guard let first = used.first else { return taken }
    if used.count == 1 && loop.options.clipNorm == nil {
      let loss = { try self.checkedLoss(first.batch, step, first.number) }
      (taken.loss, taken.gradientNorm) = try updateWhileWalking(step, rate, loss)
      return taken
    }
    var gradients = Gradients()
    for part in used {
      let weight = Double(part.tokenCount) / Double(tokenCount)
      let value = try differentiate(loop.parameters, addingTo: &gradients, weight: weight) {
        try checkedLoss(part.batch, step, part.number)
      }
      taken.loss += weight * value.scalar
    }
    taken.gradientNorm = try update(step, rate, &gradients)
    return taken
  }

  /// Changes each parameter as soon as its gradient is known.
  private func updateWhileWalking(
    _ step: Int,
    _ rate: Double,
    _ loss: () throws -> Tensor
  ) throws -> (loss: Double, norm: Double) {
    var norm = GradientNorm()
    let value = try differentiate(
      loop.parameters,
      loss,
      whenComplete: { parameter, gradient in
        var gradient = gradient
        loop.heldZeros?.clear(&gradient, of: parameter)
        // After a gradient that is not finite nothing can be saved, but less is spoilt.
        guard norm.firstNotFinite == nil, norm.add(gradient, of: parameter) else { return }
        optimizer.update(parameter, gradient, rate: rate, step: step)
        keepZeros(of: parameter)
      }
    )
    try check(norm, step)
    return (value.scalar, norm.value(loop.parameters))
  }

  /// Changes all parameters by gradients that are clipped together.
  private func update(
    _ step: Int,
    _ rate: Double,
    _ gradients: inout Gradients
  ) throws -> Double {
    var norm = GradientNorm()
    for parameter in loop.heldZeros?.parameters ?? [] {
      guard var gradient = gradients.take(parameter) else { continue }
      loop.heldZeros?.clear(&gradient, of: parameter)
      gradients[parameter] = gradient
    }
    for parameter in loop.parameters {
      if let gradient = gradients[parameter] { norm.add(gradient, of: parameter) }
    }
    try check(norm, step)
    let length = norm.value(loop.parameters)
    let scale = loop.options.clipNorm.map { GradientNorm.scale(norm: length, limit: $0) } ?? 1
    for parameter in loop.parameters {
      guard let gradient = gradients.take(parameter) else { continue }
      optimizer.update(parameter, gradient, rate: rate, step: step, gradientScale: scale)
      keepZeros(of: parameter)
    }
    return length
  }

  /// Undoes what older moments and the rule made of what is held.
  private func keepZeros(of parameter: Parameter) {
    guard let held = loop.heldZeros, held.contains(parameter) else { return }
    parameter.update { held.clear(&$0, of: parameter) }
  }

  // MARK: - Trouble

  /// Computes the loss of a part and stops before its gradient is computed if it is not finite.
  private func checkedLoss(_ batch: Batch, _ step: Int, _ part: Int) throws -> Tensor {
    let loss = try loop.loss(batch)
    require(loss.count == 1, "training: the loss is \(loss.shape), not one number")
    let number = loss.scalar
    guard number.isFinite else {
      throw notFinite("the loss is \(number)", at: "step \(step), part \(part + 1)")
    }
    return loss
  }

  private func check(_ norm: GradientNorm, _ step: Int) throws {
    guard let parameter = norm.firstNotFinite else { return }
    throw notFinite("the gradient of \(parameter.name) is not finite", at: "step \(step)")
  }

  /// The error for numbers that are not finite, with what is known about how it came.
  func notFinite(_ problem: String, at location: String) -> TrainingError {
    let rate = loop.options.schedule.rate(at: counters.step + 1)
    let before = counters.lastLoss.map { ", the loss before it \($0)" } ?? ""
    let clipping = loop.options.clipNorm == nil ? "clip gradients, " : ""
    return TrainingError(
      .notFinite,
      "\(problem); the learning rate is \(rate)\(before)",
      at: location,
      remedy: "use a lower learning rate or more warm-up steps, \(clipping)or compute in float32; "
        + "the last saved state is kept"
    )
  }
}
