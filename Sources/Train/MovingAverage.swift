internal import CKernels
public import Tensor

/// An exponential moving average of parameters over the steps of a training.
///
///     average = d·average + (1 − d)·parameter         after each step, d = decay
///
/// With warm-up, update `t`, from 1, uses `d = min(decay, (1 + t) / (10 + t))`, so that the
/// parameters of the start are soon forgotten.
///
/// Source: Polyak and Juditsky, *Acceleration of Stochastic Approximation by Averaging*, 1992, for
/// the idea; the warm-up is that of TensorFlow's `ExponentialMovingAverage`.
public final class MovingAverage {
  /// How an average is taken.
  public struct Options: Sendable, Hashable {
    /// How much of the average a step keeps, in `0..<1`: about `1 / (1 − decay)` steps count.
    public var decay: Double
    /// Whether the decay grows to its value over the first steps.
    public var warmsUp: Bool

    /// Creates options.
    public init(decay: Double = 0.999, warmsUp: Bool = true) {
      self.decay = decay
      self.warmsUp = warmsUp
    }
  }

  private let parameters: [Parameter]
  private let options: Options
  private var values: [Tensor]
  /// How many steps were taken into account.
  public private(set) var updateCount = 0

  /// Starts from the present values of the parameters, in their dtype.
  public init(_ parameters: [Parameter], _ options: Options = Options()) {
    self.parameters = parameters
    self.options = options
    values = parameters.map { $0.value.detached }
  }

  /// Takes the parameters' values into account.
  ///
  /// - Complexity: One pass over parameters and averages.
  public func update() {
    updateCount += 1
    let reached = Double(1 + updateCount) / Double(10 + updateCount)
    let weight = 1 - (options.warmsUp ? min(options.decay, reached) : options.decay)
    for (index, parameter) in parameters.enumerated() where parameter.count > 0 {
      let source = parameter.value.detached
      if source.dtype == .float32 {
        let x = Shared(source.unsafeBase.assumingMemoryBound(to: Float.self))
        let y = Shared(values[index].ownedElements(as: Float.self))
        parallelRanges(source.count, grain: updateGrain) { range in
          let start = range.lowerBound
          slm_approach_f32(weight, x.pointer + start, Int64(range.count), y.pointer + start)
        }
      } else {
        let x = Shared(source.unsafeBase.assumingMemoryBound(to: Double.self))
        let y = Shared(values[index].ownedElements(as: Double.self))
        parallelRanges(source.count, grain: updateGrain) { range in
          let start = range.lowerBound
          slm_approach_f64(weight, x.pointer + start, Int64(range.count), y.pointer + start)
        }
      }
      withExtendedLifetime(source) {}
    }
  }

  /// Changes the averages in place.
  func change(_ body: (Parameter, inout Tensor) -> Void) {
    for (index, parameter) in parameters.enumerated() { body(parameter, &values[index]) }
  }

  /// Exchanges the parameters' values with the averages; a second call exchanges them back.
  ///
  /// - Complexity: O(parameters); no element is copied.
  public func swap() {
    for (index, parameter) in parameters.enumerated() {
      parameter.update { Swift.swap(&$0, &values[index]) }
    }
  }

  /// The averages with the parameters' names.
  public var tensors: [(name: String, tensor: Tensor)] {
    zip(parameters, values).map { ($0.name, $1) }
  }

  /// Takes over a saved average.
  ///
  /// - Precondition: One tensor for each parameter, of its shape and dtype.
  func restore(_ tensors: [Tensor], updateCount: Int) {
    require(tensors.count == parameters.count, "moving average: \(tensors.count) tensors")
    values = tensors
    self.updateCount = updateCount
  }
}
