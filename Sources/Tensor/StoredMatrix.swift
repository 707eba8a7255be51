package import CKernels

/// A weight matrix in the form in which it is stored, to multiply by.
///
/// The numbers are widened to `float32` piece by piece where they are used, never as a whole: a
/// checkpoint's matrix can stay on a mapped file in 4 bits and still be multiplied by at the speed
/// of `float32`.
///
/// ```swift
/// let dense = StoredMatrix(weight)                               // [outputs, inputs], any dtype
/// let blocks = StoredMatrix(blocks: bytes, format: .q4_0, columns: 576)
/// let y = x.multiplied(by: blocks)                               // [..., inputs] → [..., outputs]
/// ```
public struct StoredMatrix: Sendable {
  /// The number of outputs.
  public let rows: Int
  /// The number of inputs.
  public let columns: Int
  /// How the numbers are stored.
  package let storage: MatrixStorage

  /// Stores each number as an element.
  ///
  /// - Parameter elements: `[outputs, inputs]`, of a floating dtype or `int8`.
  public init(_ elements: Tensor) {
    require(
      elements.shape.rank == 2 && (elements.dtype.isFloatingPoint || elements.dtype == .int8),
      "stored matrix: \(elements.shape) of \(elements.dtype) is no matrix of real numbers"
    )
    rows = elements.shape[0]
    columns = elements.shape[1]
    storage = .elements(elements)
  }

  /// Stores GGUF blocks.
  ///
  /// - Parameters:
  ///   - blocks: The blocks of each row, `[outputs, bytes]`, `uint8`.
  ///   - format: The blocks' format.
  ///   - columns: The number of inputs, a multiple of the block length.
  public init(blocks: Tensor, format: BlockFormat, columns: Int) {
    let byteCount = columns / format.blockLength * format.blockByteCount
    require(
      blocks.dtype == .uint8 && blocks.shape.rank == 2 && blocks.shape[1] == byteCount
        && columns % format.blockLength == 0,
      "stored matrix: \(blocks.shape) of \(blocks.dtype) holds no rows of \(columns) in \(format)"
    )
    rows = blocks.shape[0]
    self.columns = columns
    storage = .blocks(blocks, format)
  }

  /// Stores integer codes whose scales are shared by groups of columns.
  ///
  ///     value = scale · (code − zero)      zero = 2^(bits − 1) without zero points
  ///     value = scale · code + offset      with offsets
  ///
  /// The difference is exact and each operation on it rounds once to `float32`.
  ///
  /// - Parameters:
  ///   - codes: Unsigned codes, `[outputs, bytes]`, `uint8`: a row is a stream of
  ///     `columns · bits` bits, the lowest bit of a byte first, padded to a whole byte.
  ///   - bits: The length of a code, `2...8`.
  ///   - groupSize: The columns that share a scale; the last group may be shorter.
  ///   - scales: `[outputs, groups]`, `float32`, `float16` or `bfloat16`.
  ///   - zeroPoints: The code of zero, `[outputs, groups]`, `uint8`.
  ///   - offsets: What is added, `[outputs, groups]`, a dtype as for `scales`.
  ///   - columns: The number of inputs.
  /// - Precondition: Not both zero points and offsets are given.
  public init(
    codes: Tensor,
    bits: Int,
    groupSize: Int,
    scales: Tensor,
    zeroPoints: Tensor? = nil,
    offsets: Tensor? = nil,
    columns: Int
  ) {
    rows = codes.shape.rank == 2 ? codes.shape[0] : 0
    self.columns = columns
    let groups = Shape([rows, (columns + groupSize - 1) / max(1, groupSize)])
    let scaleTypes: [DType] = [.float32, .float16, .bfloat16]
    require(
      (2...8).contains(bits) && groupSize > 0 && codes.dtype == .uint8
        && codes.shape == [rows, (columns * bits + 7) / 8],
      "stored matrix: \(codes.shape) of \(codes.dtype) holds no rows of \(columns) × \(bits) bits"
    )
    require(
      scales.shape == groups && scaleTypes.contains(scales.dtype)
        && (zeroPoints.map { $0.shape == groups && $0.dtype == .uint8 } ?? true)
        && (offsets.map { $0.shape == groups && scaleTypes.contains($0.dtype) } ?? true)
        && (zeroPoints == nil || offsets == nil),
      "stored matrix: scales, zero points or offsets are not \(groups)"
    )
    storage = .codes(
      GroupCodes(
        codes: codes,
        bits: bits,
        groupSize: groupSize,
        scales: scales,
        zeroPoints: zeroPoints,
        offsets: offsets
      )
    )
  }

  package init(rows: Int, columns: Int, storage: MatrixStorage) {
    self.rows = rows
    self.columns = columns
    self.storage = storage
  }
}

/// The forms in which a matrix's numbers are stored.
package enum MatrixStorage: Sendable {
  case elements(Tensor)
  case blocks(Tensor, BlockFormat)
  case codes(GroupCodes)
}

/// Integer codes with a scale, and perhaps a zero point or an offset, for each group of columns.
package struct GroupCodes: Sendable {
  package var codes: Tensor
  package var bits: Int
  package var groupSize: Int
  package var scales: Tensor
  package var zeroPoints: Tensor?
  package var offsets: Tensor?
}

extension StoredMatrix {
  /// The size of what is stored, scales included, in bytes.
  public var byteCount: Int {
    switch storage {
    case .elements(let tensor): tensor.byteCount
    case .blocks(let tensor, _): tensor.byteCount
    case .codes(let codes):
      codes.codes.byteCount + codes.scales.byteCount + (codes.zeroPoints?.byteCount ?? 0)
        + (codes.offsets?.byteCount ?? 0)
    }
  }

  /// Returns some of the rows, without copying: part of a vocabulary, say.
  ///
  /// - Precondition: The range lies within the rows.
  public func rows(_ range: Range<Int>) -> StoredMatrix {
    let part: MatrixStorage =
      switch storage {
      case .elements(let tensor): .elements(tensor.rows(range))
      case .blocks(let tensor, let format): .blocks(tensor.rows(range), format)
      case .codes(let codes):
        .codes(
          GroupCodes(
            codes: codes.codes.rows(range),
            bits: codes.bits,
            groupSize: codes.groupSize,
            scales: codes.scales.rows(range),
            zeroPoints: codes.zeroPoints?.rows(range),
            offsets: codes.offsets?.rows(range)
          )
        )
      }
    return StoredMatrix(rows: range.count, columns: columns, storage: part)
  }

  /// Calls `body` with the matrix as the kernels see it.
  package func withKernelMatrix<Result>(
    _ body: (UnsafePointer<slm_matrix>) throws -> Result
  ) rethrows -> Result {
    defer { withExtendedLifetime(self) {} }
    return try withUnsafePointer(to: kernelMatrix) { try body($0) }
  }

  /// The matrix as the kernels see it, valid as long as this one is kept.
  var kernelMatrix: slm_matrix {
    var matrix = slm_matrix()
    matrix.rows = Int64(rows)
    matrix.columns = Int64(columns)
    switch storage {
    case .elements(let tensor):
      matrix.storage = Int32(SLM_ELEMENTS.rawValue)
      matrix.type = tensor.dtype.kernelType
      matrix.data = UnsafeRawPointer(tensor.unsafeBase)
      matrix.row_bytes = Int64(columns * tensor.dtype.byteCount)
    case .blocks(let tensor, let format):
      matrix.storage = Int32(SLM_BLOCKS.rawValue)
      matrix.format = format.rawValue
      matrix.data = UnsafeRawPointer(tensor.unsafeBase)
      matrix.row_bytes = Int64(tensor.shape[1])
    case .codes(let codes):
      matrix.storage = Int32(SLM_CODES.rawValue)
      matrix.data = UnsafeRawPointer(codes.codes.unsafeBase)
      matrix.row_bytes = Int64(codes.codes.shape[1])
      matrix.bits = Int32(codes.bits)
      matrix.group = Int64(codes.groupSize)
      matrix.groups = Int64(codes.scales.shape[1])
      matrix.scales = UnsafeRawPointer(codes.scales.unsafeBase)
      matrix.scale_type = codes.scales.dtype.kernelType
      matrix.zeros = codes.zeroPoints.map {
        UnsafePointer($0.unsafeBase.assumingMemoryBound(to: UInt8.self))
      }
      matrix.offsets = codes.offsets.map { UnsafeRawPointer($0.unsafeBase) }
      matrix.offset_type = codes.offsets?.dtype.kernelType ?? 0
    }
    return matrix
  }
}
