internal import CKernels
public import Tensor

/// Elements of parameters that stay zero while the others are trained.
///
/// The gradient by a held element is set to zero, so that it is no part of the gradient's norm and
/// adds nothing to moments; the element itself is set to zero after every update, whatever the
/// rule, its decay and older moments made of it. Elements that are held once stay held: more may
/// join them, as masks grow.
///
/// Source for masks that grow: Zhu and Gupta, *To prune, or not to prune*, 2017, arXiv:1710.01878,
/// section 3. Differs from it in that a weight that is zero does not come back.
public final class HeldZeros {
  /// Marks the elements of a parameter that are zero after some steps, `uint8` of the parameter's
  /// shape, 1 for zero; nil if nothing changes then.
  public typealias Growth = (_ parameter: Parameter, _ stepsDone: Int) throws -> Tensor?

  /// What is held, as a text by which a saved state is told from that of others.
  public let summary: String
  /// Steps after which nothing more joins what is held.
  ///
  /// Before, parameters are not what is asked for: validation neither makes them the best nor
  /// counts towards stopping.
  public let completeStep: Int
  /// The parameters of which elements are held, or will be.
  public let parameters: [Parameter]
  private let growth: Growth?
  private let shapes: [Shape]
  private let indices: [ObjectIdentifier: Int]
  /// A bit for each element, 1 if it is free, `[ceil(count / 8)]`, `uint8`.
  private var bits: [Tensor]

  /// Holds the zeros that the parameters have.
  ///
  /// - Parameters:
  ///   - parameters: Matrices, `float32`.
  ///   - summary: Where zeros come from, for a saved state's fingerprint.
  ///   - completeStep: Steps after which nothing more joins; 0 for zeros that are all there.
  ///   - free: Those of the parameters whose elements are all free at first, zeros included.
  ///   - growth: What joins.
  /// - Complexity: A bit for each element.
  public init(
    _ parameters: [Parameter],
    summary: String,
    completeStep: Int = 0,
    free: [Parameter] = [],
    growth: Growth? = nil
  ) {
    (self.parameters, self.summary) = (parameters, summary)
    (self.completeStep, self.growth) = (completeStep, growth)
    var indices: [ObjectIdentifier: Int] = [:]
    for (index, parameter) in parameters.enumerated() {
      indices[ObjectIdentifier(parameter)] = index
    }
    self.indices = indices
    shapes = parameters.map(\.shape)
    bits = parameters.map { parameter in
      let length = (parameter.count + 7) / 8
      guard !free.contains(where: { $0 === parameter }) else {
        var bytes = [UInt8](repeating: 0xFF, count: length)
        if !parameter.count.isMultiple(of: 8) { bytes[length - 1] = 1 << (parameter.count % 8) - 1 }
        return Tensor(bytes, shape: [length])
      }
      let bits = Tensor(zeros: [length], dtype: .uint8)
      parameter.value.withElements(as: Float.self) { values in
        guard let base = values.baseAddress else { return }
        slm_nonzero_bits(
          base,
          Int64(values.count),
          bits.unsafeBase.assumingMemoryBound(to: UInt8.self)
        )
      }
      return bits
    }
  }

  /// Whether elements of a parameter are held, or will be.
  public func contains(_ parameter: Parameter) -> Bool {
    indices[ObjectIdentifier(parameter)] != nil
  }

  /// How many elements of a parameter are held.
  public func count(of parameter: Parameter) -> Int {
    guard let index = indices[ObjectIdentifier(parameter)] else { return 0 }
    let free = slm_count_bits(
      bits[index].unsafeBase.assumingMemoryBound(to: UInt8.self),
      Int64(parameter.count)
    )
    return parameter.count - Int(free)
  }

  /// The fraction of zeros in the parameters of which some are held.
  public var sparsity: Double {
    let held = parameters.reduce(0) { $0 + count(of: $1) }
    return Double(held) / Double(max(1, parameters.reduce(0) { $0 + $1.count }))
  }

  /// Sets what is held of a parameter to zero in a tensor of its shape: its value, gradient or
  /// average.
  ///
  /// - Complexity: One pass, in place.
  public func clear(_ tensor: inout Tensor, of parameter: Parameter) {
    guard let index = indices[ObjectIdentifier(parameter)] else { return }
    // The parameter may be what is being changed: its own value is not looked at.
    require(
      tensor.shape == shapes[index] && tensor.dtype == .float32,
      "held zeros: \(tensor.shape) of \(tensor.dtype) for \(parameter.name)"
    )
    let count = tensor.count
    let values = Shared(tensor.ownedElements(as: Float.self))
    let bits = Shared(bits[index].unsafeBase.assumingMemoryBound(to: UInt8.self))
    parallelRanges((count + 7) / 8, grain: updateGrain / 8) { range in
      let start = 8 * range.lowerBound
      slm_clear_unset(
        bits.pointer + range.lowerBound,
        Int64(min(count, 8 * range.upperBound) - start),
        values.pointer + start
      )
    }
    withExtendedLifetime((tensor, self)) {}
  }

  /// Lets join what is to be zero after some steps, and sets it to zero.
  ///
  /// - Returns: Whether anything joined.
  func grow(after stepsDone: Int) throws -> Bool {
    guard let growth else { return false }
    var grew = false
    for (index, parameter) in parameters.enumerated() {
      guard let marks = try growth(parameter, stepsDone) else { continue }
      require(
        marks.shape == parameter.shape && marks.dtype == .uint8,
        "held zeros: marks \(marks.shape) of \(marks.dtype) for \(parameter.name)"
      )
      let target = bits[index].ownedElements(as: UInt8.self)
      marks.withElements(as: UInt8.self) { marks in
        if let base = marks.baseAddress { slm_clear_marked(base, Int64(marks.count), target) }
      }
      withExtendedLifetime(bits) {}
      parameter.update { clear(&$0, of: parameter) }
      grew = true
    }
    return grew
  }

  // MARK: - Saving and restoring

  /// What is kept, each tensor with its parameter's name.
  var tensors: [(name: String, tensor: Tensor)] { zip(parameters, bits).map { ($0.name, $1) } }

  /// Takes over what was saved.
  ///
  /// - Parameter read: Returns the bits of a parameter, of the given shape.
  func restore(_ read: (_ name: String, _ shape: Shape) throws -> Tensor) rethrows {
    bits = try zip(parameters, bits).map { try read($0.name, $1.shape) }
  }
}
