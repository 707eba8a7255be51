internal import Checkpoints
internal import Models
public import Pipeline
internal import Tensor

/// How matrices with many zeros are stored.
public enum SparseStorage: String, RecipeChoice {
  case none, bitmask

  /// What the choice means.
  public var summary: String {
    switch self {
    case .none: "like all others"
    case .bitmask:
      "as a bit for each number and the numbers that are not zero, where that is smaller: "
        + "compressed-tensors' `sparse-bitmask`"
    }
  }
}

/// A matrix in an export as a bitmask and values: the tensors `shape`, `compressed`, `bitmask` and
/// `row_offsets` of its module.
struct BitmaskedExport {
  let linear: Linear
  let dtype: DType
  /// How many numbers are not zero in this type.
  let valueCount: Int

  /// Counts what a matrix would store.
  ///
  /// - Returns: nil if the matrix as it is takes no more.
  init?(_ linear: Linear, _ dtype: DType) throws {
    let tensor = ExportedTensor("", linear, as: .elements(dtype))
    var count = 0
    try tensor.eachRun { count += BitmaskedMatrix.valueCount($0) }
    linear.release()
    (self.linear, self.dtype, valueCount) = (linear, dtype, count)
    let size = Self.byteCount(
      rows: linear.rows,
      columns: linear.columns,
      valueCount: count,
      dtype
    )
    guard size < linear.rows * linear.columns * dtype.byteCount else { return nil }
  }

  /// The size of the four tensors, in bytes.
  static func byteCount(rows: Int, columns: Int, valueCount: Int, _ dtype: DType) -> Int {
    16 + valueCount * dtype.byteCount + rows * BitmaskedMatrix.rowByteCount(columns: columns)
      + 8 * rows
  }

  /// The tensors, in the order in which compressed-tensors lists them.
  func tensors(_ meter: ErrorMeter?) -> [ExportedTensor] {
    let (name, rows, columns) = (linear.name, linear.rows, linear.columns)
    let bytes = BitmaskedMatrix.rowByteCount(columns: columns)
    func plain(_ meter: ErrorMeter? = nil) -> ExportedTensor {
      ExportedTensor("\(name).weight", linear, as: .elements(dtype), meter: meter)
    }
    return [
      ExportedTensor("\(name).shape", Tensor([Int64(rows), Int64(columns)], shape: [2])),
      ExportedTensor(TensorDeclaration("\(name).compressed", dtype: dtype, shape: [valueCount])) {
        body in
        try plain(meter).eachRun { try body(BitmaskedMatrix($0).values) }
      },
      ExportedTensor(TensorDeclaration("\(name).bitmask", dtype: .uint8, shape: [rows, bytes])) {
        body in
        try plain().eachRun { try body(BitmaskedMatrix($0).bitmask) }
      },
      ExportedTensor(TensorDeclaration("\(name).row_offsets", dtype: .int64, shape: [rows])) {
        body in
        var before: Int64 = 0
        try plain().eachRun { run in
          let matrix = BitmaskedMatrix(run)
          let offsets = matrix.rowOffsets.elements(as: Int64.self).map { $0 + before }
          before += Int64(matrix.values.count)
          try body(Tensor(offsets, shape: [offsets.count]))
        }
      },
    ]
  }
}

extension [BitmaskedExport] {
  /// What config.json says of the folder, as compressed-tensors reads it.
  func configuration() -> JSONValue {
    let weights = reduce(0) { $0 + $1.linear.rows * $1.linear.columns }
    let zeros = weights - reduce(0) { $0 + $1.valueCount }
    return .object([
      "quant_method": .string("compressed-tensors"),
      "sparsity_config": .object([
        "format": .string("sparse-bitmask"),
        "global_sparsity": .number(Double(zeros) / Double(Swift.max(1, weights))),
        "sparsity_structure": .string("unstructured"),
        "targets": .array(map { .string($0.linear.name) }),
        "ignore": .array([]),
      ]),
    ])
  }
}
