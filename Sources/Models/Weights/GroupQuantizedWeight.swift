public import Tensor

/// Integer codes with a scale, and perhaps a zero point or an offset, per group of columns.
public struct GroupQuantizedWeight: LinearWeight {
  /// Bits, group size and kind of zero.
  public let groupFormat: GroupFormat
  /// Unsigned codes, each row a bit stream with the lowest bits first,
  /// `[outputs, at least bits · inputs / 8]`, `uint8`.
  public let codes: Tensor
  /// `[outputs, groups]`, of the format's scale type.
  public let scales: Tensor
  /// `[outputs, groups]`, `uint8`; present if the format's zero is `.integer`.
  public let zeroPoints: Tensor?
  /// `[outputs, groups]`, of the scale type; present if the format's zero is `.offset`.
  public let offsets: Tensor?
  /// The matrix as stored.
  public let matrix: StoredMatrix

  /// Makes a weight of its parts.
  ///
  /// - Precondition: The parts have the shapes and types that `format` and `columns` ask for.
  public init(
    codes: Tensor,
    scales: Tensor,
    zeroPoints: Tensor? = nil,
    offsets: Tensor? = nil,
    format: GroupFormat,
    columns: Int
  ) {
    self.groupFormat = format
    self.codes = codes
    self.scales = scales
    self.zeroPoints = zeroPoints
    self.offsets = offsets
    self.matrix = StoredMatrix(
      codes: codes,
      bits: format.bits,
      groupSize: format.groupSize ?? columns,
      scales: scales,
      zeroPoints: zeroPoints,
      offsets: offsets,
      columns: columns
    )
  }

  /// Integer codes in groups.
  public var format: WeightFormat { .groups(groupFormat) }

  /// Codes, scales, and zero points or offsets, saved under these names.
  public var parts: [(suffix: String, tensor: Tensor)] {
    var parts = [("weight_codes", codes), ("weight_scale", scales)]
    if let zeroPoints { parts.append(("weight_zero_point", zeroPoints)) }
    if let offsets { parts.append(("weight_offset", offsets)) }
    return parts.map { (suffix: $0.0, tensor: $0.1) }
  }
}
