public import Tensor

/// How a tensor's numbers are laid out in a file.
public enum TensorEncoding: Sendable, Hashable {
  /// One number after another, in row-major order.
  case elements(DType)
  /// Packed blocks along the last axis.
  case blocks(BlockFormat)
  /// A type of the format that is known by name only: its bytes can be copied, not read.
  case unsupported(String)
}

extension TensorEncoding: CustomStringConvertible {
  /// The dtype's, the block format's or the file format's name, such as `bfloat16` or `Q4_0`.
  public var description: String {
    switch self {
    case .elements(let dtype): dtype.rawValue
    case .blocks(let format): format.name
    case .unsupported(let name): name
    }
  }
}

extension TensorEncoding {
  /// The most elements believed of a tensor whose size in bytes is not known to limit them, so that
  /// sums over a file stay exact.
  static let unsizedElementLimit = 1 << 40

  /// The size in bytes of a tensor of this shape; nil if its rows do not fill whole blocks, the
  /// size exceeds an `Int`, or the type is not supported.
  func byteCount(of shape: Shape) -> Int? {
    guard let count = shape.dimensions.checkedProduct else { return nil }
    switch self {
    case .elements(let dtype):
      let (bytes, overflow) = count.multipliedReportingOverflow(by: dtype.byteCount)
      return overflow ? nil : bytes
    case .blocks(let format):
      guard shape.columns % format.blockLength == 0 else { return nil }
      let blocks = count / format.blockLength
      let (bytes, overflow) = blocks.multipliedReportingOverflow(by: format.blockByteCount)
      return overflow ? nil : bytes
    case .unsupported:
      return nil
    }
  }
}

extension [Int] {
  /// The product of extents; nil if it exceeds an `Int`, even where a later extent is zero, so
  /// that every partial product is safe as well.
  var checkedProduct: Int? {
    var product = 1
    for extent in self where extent != 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      product = next
    }
    return contains(0) ? 0 : product
  }
}

/// A named tensor of a checkpoint: what it is and where its bytes are.
public struct TensorEntry: Sendable, Hashable {
  /// The name, such as `model.layers.0.mlp.up_proj.weight`.
  public let name: String
  /// How the numbers are laid out.
  public let encoding: TensorEncoding
  /// The extents, outermost first: a linear weight is `[outputs, inputs]` in every format.
  public let shape: Shape
  /// Where the bytes are, from the start of the file.
  public let byteRange: Range<Int>
  /// The path of the file.
  public let file: String

  /// The size in the file, in bytes.
  public var byteCount: Int { byteRange.count }
}

/// A tensor to be written: its name, layout and shape, known before its numbers are.
public struct TensorDeclaration: Sendable, Hashable {
  /// The name, unique in the checkpoint.
  public var name: String
  /// How the numbers are to be laid out.
  public var encoding: TensorEncoding
  /// The extents, outermost first.
  public var shape: Shape

  /// Creates a declaration.
  public init(_ name: String, _ encoding: TensorEncoding, shape: Shape) {
    self.name = name
    self.encoding = encoding
    self.shape = shape
  }

  /// Creates a declaration of plain elements.
  public init(_ name: String, dtype: DType, shape: Shape) {
    self.init(name, .elements(dtype), shape: shape)
  }
}
