internal import Tensor

/// Checks of an operation's gradients; each returns what is wrong, or nil.
///
/// Everything is differentiated through `⟨y, c⟩` with one random `c` for each case.
extension OperationCase {
  /// Compares gradients in `float64` with differences of the result: each partial derivative of
  /// inputs with up to 64 elements together, or the derivatives along three random directions.
  ///
  /// Differences of fourth order with steps of 1/2048, so that inputs must lie at least 1/1024
  /// from kinks.
  public func differenceProblem() -> String? {
    let parameters = parameters(.float64)
    let gradients = self.gradients(by: parameters)
    let values = parameters.map(\.value)
    let cotangent = cotangent(values)
    func contracted(_ inputs: [Tensor]) -> Double { build(inputs).dot(cotangent) }
    let count = values.reduce(0) { $0 + $1.count }
    var directions: [[Tensor]] = []
    if count <= 64 {
      for (index, value) in values.enumerated() {
        for element in 0..<value.count {
          var direction = values.map { Tensor(zeros: $0.shape, dtype: .float64) }
          direction[index].withMutableElements(as: Double.self) { $0[element] = 1 }
          directions.append(direction)
        }
      }
    } else {
      var random = Random(seed: 12)
      for _ in 0..<3 {
        directions.append(values.map { random.normal($0.shape, dtype: .float64) })
      }
    }
    let step = 1.0 / 2048
    let measured = directions.map { direction in
      func moved(_ steps: Double) -> Double {
        contracted(
          zip(values, direction).map { value, direction in
            var value = value
            value.add(direction, scale: steps * step)
            return value
          }
        )
      }
      return (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)
    }
    let computed = directions.map { direction in
      zip(gradients, direction).reduce(0) { $0 + ($1.0?.dot($1.1) ?? 0) }
    }
    let largest = measured.map(abs).max() ?? 0
    return difference(computed, measured, relative: 1e-6, absolute: 1e-7 * largest + 1e-11)
  }

  /// Compares result and gradients in `float32` with those in `float64`.
  public func singlePrecisionProblem() -> String? {
    let (single, double) = (parameters(.float32), parameters(.float64))
    let (y, expected) = (build(single.map(\.value)), build(double.map(\.value)))
    let pairs =
      [("result", y, expected)]
      + zip(gradients(by: single), gradients(by: double)).enumerated().map { index, pair in
        // What does not depend on an input has no gradient in either.
        let none = Tensor(zeros: [0])
        return ("gradient \(index)", pair.0 ?? none, pair.1 ?? none)
      }
    for (name, actual, expected) in pairs {
      let tolerance = singleTolerance * expected.numbers.map(abs).reduce(0, Swift.max)
      if let problem = difference(actual, expected, absolute: tolerance) {
        return "\(name): \(problem)"
      }
    }
    return nil
  }

  /// Compares the gradients that ``recomputed(_:_:)`` gives with the plain ones: no bit differs.
  public func recomputationProblem() -> String? {
    let parameters = parameters(.float32)
    let again = gradients(by: parameters) { parameters in
      recomputed(parameters[0].value) { first in
        build([first] + parameters.dropFirst().map(\.value))
      }
    }
    return firstDifference(again, gradients(by: parameters))
  }

  /// Compares the gradient by each input alone with its gradient beside the others, and sees to it
  /// that others get none.
  public func selectionProblem() -> String? {
    let parameters = parameters(.float32)
    let all = gradients(by: parameters)
    for (index, parameter) in parameters.enumerated() {
      let alone = gradients(by: [parameter]) { _ in build(parameters.map(\.value)) }
      if let problem = firstDifference(alone, [all[index]]) {
        return "alone by input \(index): \(problem)"
      }
    }
    if build(parameters.map(\.value)).isRecorded { return "recorded without a parameter" }
    return nil
  }

  /// Sees to it that gradients are added to earlier ones.
  public func accumulationProblem() -> String? {
    let parameters = parameters(.float32)
    let once = gradients(by: parameters)
    var sums = Gradients()
    for _ in 0..<2 {
      _ = differentiate(parameters, addingTo: &sums) { contraction(build(parameters.map(\.value))) }
    }
    for (index, parameter) in parameters.enumerated() {
      guard let once = once[index], let twice = sums[parameter] else { continue }
      let tolerance = 1e-6 * once.largestMagnitude()
      if let problem = difference(twice, once.scaled(by: 2), absolute: tolerance) {
        return "input \(index): \(problem)"
      }
    }
    return nil
  }

  /// The gradients of `⟨y, c⟩` by some parameters.
  func gradients(
    by parameters: [Parameter],
    _ body: (([Parameter]) -> Tensor)? = nil
  ) -> [Tensor?] {
    let gradients = differentiate(parameters) {
      let y = body?(parameters) ?? build(parameters.map(\.value))
      require(y.isRecorded, "\(name): the result does not depend on the inputs")
      return contraction(y)
    }.gradients
    return parameters.map { gradients[$0] }
  }

  /// `⟨y, c⟩`, with a backward rule of its own, so that checks depend on no other operation.
  private func contraction(_ y: Tensor) -> Tensor {
    let cotangent = cotangent(shape: y.shape, dtype: y.dtype)
    let value = Tensor([y.detached.dot(cotangent)], shape: []).converted(to: y.dtype)
    return value.recorded("contraction", [y]) { gradient, _ in
      [cotangent.scaled(by: gradient.numbers[0])]
    }
  }

  private func cotangent(_ values: [Tensor]) -> Tensor {
    let y = build(values)
    return cotangent(shape: y.shape, dtype: y.dtype)
  }

  private func cotangent(shape: Shape, dtype: DType) -> Tensor {
    var random = Random(seed: 13)
    return random.normal(shape, dtype: .float32).converted(to: dtype)
  }

  private func firstDifference(_ actual: [Tensor?], _ expected: [Tensor?]) -> String? {
    for (index, (actual, expected)) in zip(actual, expected).enumerated() {
      guard let actual, let expected else {
        if (actual == nil) == (expected == nil) { continue }
        return "gradient \(index) is \(actual == nil ? "missing" : "unexpected")"
      }
      if let problem = difference(actual, expected) { return "gradient \(index): \(problem)" }
    }
    return nil
  }
}
