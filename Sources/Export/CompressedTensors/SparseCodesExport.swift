internal import Checkpoints
internal import Models
public import Pipeline
internal import Tensor

/// How matrices of which many codes stand for zero are stored.
public enum SparseCodeStorage: String, RecipeChoice {
  case none, bitmask

  /// What the choice means.
  public var summary: String {
    switch self {
    case .none: "like all others"
    case .bitmask:
      "as a bit for each code, or a number for every four of which two are zero, and the codes "
        + "other than zero, where that is smaller; only slm-compress reads it"
    }
  }
}

/// A matrix in an export as places and codes other than zero: the tensors `weight_bitmask` or
/// `weight_pairs`, `weight_nonzero_packed`, `weight_shape`, `weight_scale`, and `weight_zero_point`
/// of its module.
struct SparseCodesExport {
  let linear: Linear
  let groups: GroupFormat
  let kind: SparseCodes.Places
  /// How many codes are stored.
  let valueCount: Int

  /// Counts what a matrix would store.
  ///
  /// - Returns: nil if it takes no less than `byteCount`.
  init?(_ linear: Linear, _ groups: GroupFormat, smallerThan byteCount: Int) {
    guard groups.zero != .offset, let weight = linear.weight as? GroupQuantizedWeight else {
      return nil
    }
    let counts = SparseCodes.valueCounts(weight)
    linear.release()
    let smallest = Self.smallest(groups, rows: linear.rows, columns: linear.columns, counts)
    guard let smallest, smallest.byteCount < byteCount, let count = counts[smallest.kind] else {
      return nil
    }
    (self.linear, self.groups, kind, valueCount) = (linear, groups, smallest.kind, count)
  }

  /// The kind of places that takes the least room, and the size of all tensors, in bytes.
  ///
  /// `counts` is how many codes are stored for each kind that fits.
  static func smallest(
    _ groups: GroupFormat,
    rows: Int,
    columns: Int,
    _ counts: [SparseCodes.Places: Int]
  ) -> (kind: SparseCodes.Places, byteCount: Int)? {
    // Scales, zero points and the shape are stored as for packed codes.
    let packed = 4 * rows * SparseCodes.wordCount(columns, bits: groups.bits)
    let others =
      CompressedLayout.packQuantized.byteCount(groups, rows: rows, columns: columns) - packed
    let sizes = SparseCodes.Places.allCases.compactMap { kind in
      counts[kind].map { count in
        let parts = SparseCodes.byteCount(
          kind,
          rows: rows,
          columns: columns,
          bits: groups.bits,
          valueCount: count
        )
        return (kind: kind, byteCount: others + parts)
      }
    }
    return sizes.min { $0.byteCount < $1.byteCount }
  }

  /// The tensors of the matrix: those of packed codes, with places and words for the codes.
  var tensors: [ExportedTensor] {
    let (name, rows, columns, kind) = (linear.name, linear.rows, linear.columns, kind)
    func tensor(
      _ suffix: String,
      _ dtype: DType,
      _ shape: Shape,
      _ make: @escaping (SparseCodes) -> Tensor
    ) -> ExportedTensor {
      ExportedTensor("\(name).\(suffix)", dtype, shape, of: linear) { make(SparseCodes($0, kind)) }
    }
    let words = SparseCodes.wordCount(valueCount, bits: groups.bits)
    let codes = [
      tensor(kind.suffix, .uint8, [rows, kind.rowByteCount(columns: columns)]) { $0.places },
      tensor(SparseCodes.wordsSuffix, .int32, [words]) { $0.words },
    ]
    return CompressedLayout.packQuantized.tensors(linear, groups).flatMap {
      $0.declaration.name == "\(name).weight_packed" ? codes : [$0]
    }
  }
}

extension LinearWeight {
  /// The codes of groups, one a byte, row after row; nil for other weights.
  var groupCodes: [UInt8]? {
    guard let weight = self as? GroupQuantizedWeight else { return nil }
    return weight.codes.unpackedCodes(bits: weight.groupFormat.bits, columns: weight.columns)
      .elements(as: UInt8.self)
  }
}
