internal import CKernels
internal import Models
internal import Tensor

/// A quantized weight taken apart into what its codes stand for and the numbers that these are
/// multiplied by.
///
///     W = scale · level + offset · shift       scale and offset of the element's group
///
/// Integer codes have one scale for each group of columns; blocks of GGUF one or two for each
/// block. The K formats' 6-bit scales inside a block belong to the levels.
struct ScaledCodes {
  /// What scales multiply: codes less their zero, `[M, N]`.
  let levels: StoredMatrix
  /// What offsets multiply; 1 if nil.
  let shifts: StoredMatrix?
  /// The columns that share a scale.
  let groupSize: Int
  /// The scales as stored, `[M, groups]`, float32.
  let scales: Tensor
  /// The offsets as stored, `[M, groups]`, float32.
  let offsets: Tensor?
  /// How much of an offset has the size of the group's weights, `[M, groups]`, float32.
  let offsetUnits: Tensor?
  /// The type in which scales and offsets are stored.
  let scaleType: DType
  /// Puts scales and offsets of that type to the codes.
  let assembled: (_ scales: Tensor, _ offsets: Tensor?) -> any LinearWeight

  /// Takes a weight apart; nil if it is not quantized.
  init?(_ weight: any LinearWeight) {
    switch weight {
    case let groups as GroupQuantizedWeight: self.init(groups)
    case let blocks as BlockQuantizedWeight: self.init(blocks)
    default: return nil
    }
  }

  /// Takes integer codes apart.
  init(_ weight: GroupQuantizedWeight) {
    let (format, columns) = (weight.groupFormat, weight.columns)
    groupSize = format.groupSize ?? columns
    scaleType = format.scaleType
    let isGrouped = format.zero == .integer
    let count = isGrouped ? weight.scales.shape[1] : 1
    let ones = Tensor(zeros: [weight.rows, count]).scaled(by: 0, shift: 1)
    levels = StoredMatrix(
      codes: weight.codes,
      bits: format.bits,
      groupSize: isGrouped ? groupSize : columns,
      scales: ones,
      zeroPoints: weight.zeroPoints,
      offsets: format.zero == .offset ? Tensor(zeros: [weight.rows, 1]) : nil,
      columns: columns
    )
    shifts = nil
    scales = weight.scales.converted(to: .float32)
    offsets = weight.offsets?.converted(to: .float32)
    offsetUnits =
      offsets == nil
      ? nil : scales.mapped(.absolute).scaled(by: Double(1 << (format.bits - 1)))
    assembled = { scales, offsets in
      GroupQuantizedWeight(
        codes: weight.codes,
        scales: scales,
        zeroPoints: weight.zeroPoints,
        offsets: offsets,
        format: format,
        columns: columns
      )
    }
  }

  private init(_ weight: BlockQuantizedWeight) {
    let (format, blocks, columns) = (weight.blockFormat, weight.blocks, weight.columns)
    let layout = format.scaleLayout
    groupSize = format.blockLength
    scaleType = .float16
    let stored = blocks.halves(format, at: layout.scale)
    scales = stored.converted(to: .float32)
    let (one, zero): (UInt16, UInt16) = (0x3C00, 0)
    var unit = blocks.copied()
    unit.setHalf(one, format, at: layout.scale)
    if let place = layout.offset { unit.setHalf(zero, format, at: place) }
    levels = StoredMatrix(blocks: unit, format: format, columns: columns)
    guard let place = layout.offset else {
      (shifts, offsets, offsetUnits) = (nil, nil, nil)
      assembled = { scales, _ in
        var result = blocks.copied()
        result.setHalves(scales, format, at: layout.scale)
        return BlockQuantizedWeight(blocks: result, format: format, columns: columns)
      }
      return
    }
    let offsets = blocks.halves(format, at: place).converted(to: .float32)
    self.offsets = offsets
    if let codes = layout.codes {
      shifts = nil
      offsetUnits = scales.mapped(.absolute).scaled(by: Double(codes) / 2)
    } else {
      var minimums = blocks.copied()
      minimums.setHalf(zero, format, at: layout.scale)
      minimums.setHalf(one, format, at: place)
      shifts = StoredMatrix(blocks: minimums, format: format, columns: columns)
      offsetUnits = offsets
    }
    assembled = { scales, offsets in
      var result = blocks.copied()
      result.setHalves(scales, format, at: layout.scale)
      if let offsets { result.setHalves(offsets, format, at: place) }
      return BlockQuantizedWeight(blocks: result, format: format, columns: columns)
    }
  }
}

extension BlockFormat {
  /// Where in a block its half-precision scale lies, where its second one does, and, if that is
  /// added as it is, the number of codes.
  fileprivate var scaleLayout: (scale: Int, offset: Int?, codes: Int?) {
    switch self {
    case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS: (0, nil, nil)
    case .q4_1: (0, 2, 16)
    case .q5_1: (0, 2, 32)
    case .q2_K: (80, 82, nil)
    case .q3_K: (108, nil, nil)
    case .q4_K, .q5_K: (0, 2, nil)
    case .q6_K: (208, nil, nil)
    }
  }
}

extension Tensor {
  /// The half-precision numbers at a place of every block, `[M, blocks of a row]`, float16.
  fileprivate func halves(_ format: BlockFormat, at place: Int) -> Tensor {
    let size = format.blockByteCount
    let result = Tensor(uninitialized: [shape[0], shape[1] / size], dtype: .float16)
    slm_blocks_read_field(
      unsafeBase.assumingMemoryBound(to: UInt8.self),
      Int64(result.count),
      Int64(size),
      Int64(place),
      2,
      result.unsafeBase.assumingMemoryBound(to: UInt8.self)
    )
    withExtendedLifetime(self) {}
    return result
  }

  /// Replaces the half-precision numbers at a place of every block.
  fileprivate mutating func setHalves(_ values: Tensor, _ format: BlockFormat, at place: Int) {
    write(values, repeated: false, format, place)
  }

  /// Replaces the half-precision number at a place of every block by one.
  fileprivate mutating func setHalf(_ bits: UInt16, _ format: BlockFormat, at place: Int) {
    let bytes = Tensor([UInt8(bits & 0xFF), UInt8(bits >> 8)], shape: [2])
    write(bytes, repeated: true, format, place)
  }

  private mutating func write(
    _ fields: Tensor,
    repeated: Bool,
    _ format: BlockFormat,
    _ place: Int
  ) {
    let size = format.blockByteCount
    withMutableElements(as: UInt8.self) { blocks in
      guard let start = blocks.baseAddress else { return }
      slm_blocks_write_field(
        start,
        Int64(blocks.count / size),
        Int64(size),
        Int64(place),
        2,
        repeated,
        fields.unsafeBase.assumingMemoryBound(to: UInt8.self)
      )
    }
    withExtendedLifetime(fields) {}
  }
}
