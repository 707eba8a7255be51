internal import CKernels
public import Tensor

extension Tensor {
  /// The sum of the squares, in parts of a fixed size, so that it does not depend on threads.
  func parallelSumOfSquares() -> Double {
    let size = 1 << 16
    let parts = (count + size - 1) / size
    guard parts > 1 else { return sumOfSquares() }
    let sums = Tensor(uninitialized: [parts], dtype: .float64)
    let out = Shared(sums.unsafeMutableElements(as: Double.self).baseAddress)
    let (base, dtype, count) = (Shared(unsafeBase), dtype, count)
    parallelRanges(parts) { range in
      for part in range {
        let start = part * size
        let length = Int64(min(size, count - start))
        let address = base.pointer + start * dtype.byteCount
        if dtype == .float32 {
          let x = address.assumingMemoryBound(to: Float.self)
          out.pointer?[part] = slm_dot_f32(x, x, length)
        } else {
          let x = address.assumingMemoryBound(to: Double.self)
          out.pointer?[part] = slm_dot_f64(x, x, length)
        }
      }
    }
    withExtendedLifetime(self) {}
    return sums.elements(as: Double.self).reduce(0, +)
  }
}

/// The length of all gradients of a step as one vector.
///
/// Squares are kept by parameter and added in the order of parameters, so that the norm does not
/// depend on the order in which gradients became known.
struct GradientNorm {
  private var squares: [ObjectIdentifier: Double] = [:]
  /// The first parameter whose gradient was found not to be finite.
  private(set) var firstNotFinite: Parameter?

  /// Takes a gradient into account and returns whether it is finite.
  @discardableResult
  mutating func add(_ gradient: Tensor, of parameter: Parameter) -> Bool {
    let sum = gradient.parallelSumOfSquares()
    squares[ObjectIdentifier(parameter)] = sum
    if !sum.isFinite && firstNotFinite == nil { firstNotFinite = parameter }
    return sum.isFinite
  }

  /// The norm.
  func value(_ parameters: [Parameter]) -> Double {
    parameters.reduce(0) { $0 + (squares[ObjectIdentifier($1)] ?? 0) }.squareRoot()
  }

  /// The factor that brings gradients of norm `norm` to `limit` at most.
  static func scale(norm: Double, limit: Double) -> Double { min(1, limit / (norm + 1e-6)) }
}

extension Gradients {
  /// Returns the root of the sum of the squares of all gradients by the parameters.
  public func norm(_ parameters: [Parameter]) -> Double {
    var norm = GradientNorm()
    for parameter in parameters {
      if let gradient = self[parameter] { norm.add(gradient, of: parameter) }
    }
    return norm.value(parameters)
  }

  /// Scales all gradients so that their common norm is at most `limit`.
  ///
  /// - Parameters:
  ///   - parameters: The parameters whose gradients count.
  ///   - limit: The greatest norm allowed.
  /// - Returns: The norm before. If it is not finite, nothing is scaled.
  ///
  /// Source: Pascanu, Mikolov and Bengio, *On the Difficulty of Training Recurrent Neural
  /// Networks*, 2012, arXiv:1211.5063, algorithm 1; with 1e-6 added to the norm as in
  /// `torch.nn.utils.clip_grad_norm_`.
  @discardableResult
  public mutating func clip(_ parameters: [Parameter], norm limit: Double) -> Double {
    let norm = norm(parameters)
    let scale = GradientNorm.scale(norm: norm, limit: limit)
    guard norm.isFinite, scale < 1 else { return norm }
    for parameter in parameters {
      guard let gradient = take(parameter) else { continue }
      self[parameter] = gradient.scaled(by: scale)
    }
    return norm
  }
}
