/// Runs `loss`, recording what it does with `parameters`, and returns its value and their
/// gradients.
///
/// - Parameters:
///   - parameters: What to differentiate by; every other parameter is a constant.
///   - loss: Computes one number from the parameters' values.
/// - Returns: The number, `[]`, and the gradients by those parameters that it depends on.
/// - Throws: What `loss` throws; the parameters are as before.
/// - Precondition: None of the parameters is being differentiated by already: there are no second
///   derivatives.
/// - Complexity: The values that backward rules keep stay in memory until the walk has passed
///   them.
public func differentiate(
  _ parameters: [Parameter],
  _ loss: () throws -> Tensor
) rethrows -> (value: Tensor, gradients: Gradients) {
  var gradients = Gradients()
  let value = try differentiate(parameters, addingTo: &gradients, loss)
  return (value, gradients)
}

/// Runs `loss` and adds `weight` times its gradients to those of earlier losses, in place.
///
/// - Parameters:
///   - parameters: What to differentiate by.
///   - gradients: The sums so far; they stay as they are if `loss` throws.
///   - weight: The factor of this loss's gradients, such as one over the number of parts of a
///     batch.
///   - loss: Computes one number from the parameters' values.
/// - Returns: The number, `[]`, without the factor.
public func differentiate(
  _ parameters: [Parameter],
  addingTo gradients: inout Gradients,
  weight: Double = 1,
  _ loss: () throws -> Tensor
) rethrows -> Tensor {
  try withLeaves(parameters) { leaves in
    let value = try loss()
    for (parameter, leaf) in zip(parameters, leaves) { leaf.gradient = gradients.take(parameter) }
    BackwardWalk(whenComplete: nil).run(from: value, weight: weight)
    for (parameter, leaf) in zip(parameters, leaves) { gradients[parameter] = leaf.gradient }
    return value.detached
  }
}

/// Runs `loss` and hands out each gradient as soon as it is complete.
///
/// What has been handed out is not kept, so that an optimizer can use a gradient up while the walk
/// goes on: gradients of all parameters never exist at once. The parameter may be changed then,
/// since nothing that is still to come uses its value.
///
/// - Parameters:
///   - parameters: What to differentiate by.
///   - weight: The factor of the gradients.
///   - loss: Computes one number from the parameters' values.
///   - whenComplete: Called once for each parameter that the loss depends on.
/// - Returns: The number, `[]`, without the factor.
///
/// Source: Lv et al., *Full Parameter Fine-tuning for Large Language Models with Limited
/// Resources* (LOMO), 2023, arXiv:2306.09782, section 3, for any optimizer.
public func differentiate(
  _ parameters: [Parameter],
  weight: Double = 1,
  _ loss: () throws -> Tensor,
  whenComplete: (Parameter, consuming Tensor) -> Void
) rethrows -> Tensor {
  try withLeaves(parameters) { _ in
    let value = try loss()
    withoutActuallyEscaping(whenComplete) { deliver in
      BackwardWalk(whenComplete: deliver).run(from: value, weight: weight)
    }
    return value.detached
  }
}

/// Gives the parameters leaves while `body` runs.
private func withLeaves<Result>(
  _ parameters: [Parameter],
  _ body: ([GradientNode]) throws -> Result
) rethrows -> Result {
  let leaves = parameters.map { parameter in
    require(parameter.leaf == nil, "differentiate: twice by \(parameter.name)")
    let leaf = GradientNode("parameter", parameter: parameter)
    parameter.leaf = leaf
    return leaf
  }
  defer { for parameter in parameters { parameter.leaf = nil } }
  return try body(leaves)
}
