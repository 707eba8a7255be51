internal import Models
internal import Tensor

/// Norms in training, which are measured as they will be stored.
struct TunedNorms {
  /// What is trained.
  let parameters: [Parameter]
  private let norms: [Normalization]
  /// The scales before, `[channels]`, float32.
  private let starts: [Tensor]
  /// The types in which the scales will be stored.
  private let types: [DType]

  /// Begins.
  ///
  /// - Parameters:
  ///   - norms: The norms.
  ///   - dtype: The type in which trained scales are stored; nil for the one that they have.
  init(_ norms: [Normalization], storedAs dtype: DType?) {
    self.norms = norms
    types = norms.map { dtype ?? $0.weight.dtype }
    starts = norms.map { $0.weight.converted(to: .float32).copied() }
    parameters = norms.map { $0.makeTrainable() }
  }

  /// Whether no scale has been changed.
  var areAtStart: Bool {
    zip(parameters, starts).allSatisfy { ($0.value.detached - $1).sumOfSquares() == 0 }
  }

  /// Does something while scales are as they will be stored.
  ///
  /// - Parameters:
  ///   - isUnchanged: Whether the model would be kept as it was before training.
  ///   - work: What to do.
  /// - Returns: What it returns.
  func asStored<Result>(isUnchanged: Bool, _ work: () throws -> Result) rethrows -> Result {
    let values = parameters.map(\.value.detached)
    if !isUnchanged {
      for (parameter, type) in zip(parameters, types) {
        parameter.value = parameter.value.detached.converted(to: type).converted(to: .float32)
      }
    }
    defer { for (parameter, value) in zip(parameters, values) { parameter.value = value } }
    return try work()
  }

  /// Ends.
  ///
  /// - Parameter isUnchanged: Whether the scales are those of the start, which keep their type.
  func freeze(isUnchanged: Bool) {
    for (norm, type) in zip(norms, types) { norm.freeze(as: isUnchanged ? nil : type) }
  }
}
