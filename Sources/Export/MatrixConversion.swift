internal import CKernels
internal import Checkpoints
internal import Models
internal import Tensor

/// How a matrix gets from the representation it has to the one a file stores.
enum MatrixConversion: Hashable {
  /// The bytes are those in memory.
  case same
  /// Other bytes stand for the same numbers.
  case exact
  /// Numbers are rounded to a floating-point type, or unquantized ones to blocks: what an export
  /// with a type is asked for.
  case rounded
  /// Quantized numbers would be rounded a second time.
  case requantized
  /// The shape does not fit the type.
  case impossible(String)
}

extension MatrixConversion {
  /// The conversion between two representations of a matrix of so many columns.
  init(from source: WeightFormat, to target: TensorEncoding, columns: Int) {
    switch (source, target) {
    case (.elements(let old), .elements(let new)):
      self = old == new ? .same : new.holds(old) ? .exact : .rounded
    case (_, .elements(let new)): self = new == .float32 ? .exact : .rounded
    case (.blocks(let old), .blocks(let new)): self = old == new ? .same : .requantized
    case (_, .blocks(let new)) where columns % new.blockLength != 0:
      self = .impossible("rows of \(columns) do not divide into blocks of \(new.blockLength)")
    case (.groups(let groups), .blocks(let new)):
      self = new.objection(to: groups) == nil ? .exact : .requantized
    case (.elements, .blocks): self = .rounded
    case (_, .unsupported(let name)): self = .impossible("\(name) cannot be written")
    }
  }
}

extension DType {
  /// Whether every number of another floating-point type is one of this type.
  fileprivate func holds(_ other: DType) -> Bool {
    switch self {
    case .float64: true
    case .float32: other != .float64
    case .float16: other == .float8E4M3 || other == .float8E5M2
    case .bfloat16: other == .float8E4M3 || other == .float8E5M2
    default: false
    }
  }
}
