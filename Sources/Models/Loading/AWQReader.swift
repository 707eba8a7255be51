internal import Checkpoints
internal import Tensor

/// Reads weights in AutoAWQ's `gemm` layout: codes of 4 bits, zero points and scales, all
/// transposed, eight neighbouring outputs in a word, the even ones first.
struct AWQReader: QuantizedReader {
  private let file: String
  /// The columns of a group; nil for one group a row.
  private let groupSize: Int?

  init(_ section: JSONValue, file: String) throws(ModelError) {
    self.file = file
    let layout = (section["version"] ?? section["format"])?.string?.lowercased() ?? "gemm"
    let bits = (section["bits"] ?? section["w_bit"])?.integer ?? 4
    guard layout == "gemm", bits == 4 else {
      throw ModelError(
        .unsupported,
        "the AWQ layout “\(layout)” with \(bits) bits: not supported",
        at: "\(file): quantization_config.version",
        remedy:
          "start from the unquantized checkpoint, or from one in the layout `gemm` with 4 bits"
      )
    }
    guard let size = (section["group_size"] ?? section["q_group_size"])?.integer,
      size == -1 || (1...1 << 30).contains(size)
    else {
      throw ModelError(
        .invalid,
        "the group size is missing or no positive number",
        at: "\(file): quantization_config.group_size",
        remedy: "fetch config.json again"
      )
    }
    groupSize = size == -1 ? nil : size
  }

  func contains(_ module: String, _ tensors: any TensorSource) -> Bool {
    tensors.entry("\(module).qweight") != nil
  }

  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight {
    guard rows % 8 == 0, columns % (groupSize ?? 1) == 0 else {
      throw ModelError(
        .inconsistent,
        "\(rows) rows do not fill words of 8, or \(columns) columns groups of \(groupSize ?? 1)",
        at: "\(file): \(module)",
        remedy: "config.json and weights do not belong together"
      )
    }
    let groups = groupSize.map { columns / $0 } ?? 1
    let words = try source.tensor("\(module).qweight", shape: [columns, rows / 8])
    let scales = try source.tensor("\(module).scales", shape: [groups, rows])
    // Folders without zero points are symmetric.
    let zeros =
      source.tensors.entry("\(module).qzeros") == nil
      ? nil : try source.tensor("\(module).qzeros", shape: [groups, rows / 8])
    for (tensor, suffix) in [(words, "qweight"), (zeros ?? words, "qzeros")]
    where tensor.dtype != .int32 {
      throw unsupportedType(tensor.dtype.rawValue, "\(module).\(suffix)", in: file)
    }
    guard [.float32, .float16, .bfloat16].contains(scales.dtype) else {
      throw unsupportedType(scales.dtype.rawValue, "\(module).scales", in: file)
    }
    let isSymmetric =
      zeros.map { $0.elements(as: Int32.self).allSatisfy { UInt32(bitPattern: $0) == 0x8888_8888 } }
    let format = GroupFormat(
      bits: 4,
      groupSize: groupSize,
      zero: isSymmetric ?? true ? .symmetric : .integer,
      scaleType: scales.dtype
    )
    return StoredWeight(rows: rows, columns: columns, format: .groups(format)) {
      let codes = words.separatedCodes().transposedMatrix().packedCodes(bits: 4).viewedAsBytes()
      return GroupQuantizedWeight(
        codes: codes.shape[1] == format.codeByteCount(columns: columns)
          ? codes : codes.firstBytes(format.codeByteCount(columns: columns)),
        scales: scales.transposedMatrix(),
        zeroPoints: format.zero == .symmetric ? nil : zeros?.separatedCodes().transposedMatrix(),
        format: format,
        columns: columns
      )
    }
  }
}

extension Tensor {
  /// The first bytes of each row of a matrix of bytes.
  func firstBytes(_ count: Int) -> Tensor {
    let (rows, width) = (shape[0], shape[1])
    guard width != count else { return self }
    let elements = elements(as: UInt8.self)
    return Tensor(
      (0..<rows).flatMap { elements[$0 * width..<$0 * width + count] },
      shape: [rows, count]
    )
  }
}
