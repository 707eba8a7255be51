internal import Checkpoints
internal import Models
internal import Tensor

extension CompressedLayout {
  /// Why codes cannot be stored in this layout; nil if they can.
  func objection(to groups: GroupFormat) -> String? {
    if groups.zero == .offset {
      return "compressed-tensors has zero points, not offsets; quantize with `zero: integer`"
    }
    if self == .intQuantized, groups.bits != 8 || groups.groupSize != nil {
      return "`int-quantized` holds 8 bits per channel; use `pack-quantized`"
    }
    return nil
  }

  /// The number of 32-bit words that so many codes fill.
  private func wordCount(_ count: Int, _ bits: Int) -> Int {
    SparseCodes.wordCount(count, bits: bits)
  }

  /// The size of a matrix in bytes.
  func byteCount(_ groups: GroupFormat, rows: Int, columns: Int) -> Int {
    let groupCount = groups.groupCount(columns: columns)
    var count = rows * groupCount * groups.scaleType.byteCount
    switch self {
    case .intQuantized:
      count += rows * columns
      if groups.zero == .integer { count += rows * groupCount }
    case .packQuantized:
      count += 4 * rows * wordCount(columns, groups.bits) + 16
      if groups.zero == .integer { count += 4 * groupCount * wordCount(rows, groups.bits) }
    }
    return count
  }

  /// The tensors of a quantized matrix.
  func tensors(_ linear: Linear, _ format: GroupFormat) -> [ExportedTensor] {
    let (rows, columns, name) = (linear.rows, linear.columns, linear.name)
    let groups = format.groupCount(columns: columns)
    func tensor(
      _ suffix: String,
      _ dtype: DType,
      _ shape: Shape,
      _ make: @escaping (GroupQuantizedWeight) -> Tensor
    ) -> ExportedTensor {
      ExportedTensor("\(name).\(suffix)", dtype, shape, of: linear, make)
    }
    var tensors = [tensor("weight_scale", format.scaleType, [rows, groups]) { $0.scales }]
    switch self {
    case .intQuantized:
      tensors.append(tensor("weight", .int8, [rows, columns]) { $0.codes.withHalfRangeRemoved })
      if format.zero == .integer {
        tensors.append(
          tensor("weight_zero_point", .int8, [rows, groups]) {
            ($0.zeroPoints ?? $0.codes).withHalfRangeRemoved
          }
        )
      }
    case .packQuantized:
      let words = wordCount(columns, format.bits)
      tensors.append(tensor("weight_packed", .int32, [rows, words]) { $0.codes.words(words) })
      tensors.append(
        ExportedTensor("\(name).weight_shape", Tensor([Int64(rows), Int64(columns)], shape: [2]))
      )
      if format.zero == .integer {
        let zeroWords = wordCount(rows, format.bits)
        tensors.append(
          tensor("weight_zero_point", .int32, [zeroWords, groups]) {
            ($0.zeroPoints ?? $0.codes).packedAlongRows(format.bits)
          }
        )
      }
    }
    return tensors
  }
}

extension Tensor {
  /// Unsigned bytes less 128, as signed ones.
  fileprivate var withHalfRangeRemoved: Tensor {
    Tensor(elements(as: UInt8.self).map { Int8(bitPattern: $0 ^ 0x80) }, shape: shape)
  }

  /// Rows of bytes as rows of so many 32-bit words, the last one filled with zeros; the machine's
  /// order of bytes is the format's, little-endian.
  func words(_ count: Int) -> Tensor {
    var result = Tensor(zeros: [shape[0], count], dtype: .int32)
    let rowBytes = shape[1]
    withBytes { source in
      result.withMutableElements(as: Int32.self) { target in
        let target = UnsafeMutableRawBufferPointer(target)
        for row in 0..<shape[0] {
          let bytes = source[row * rowBytes..<(row + 1) * rowBytes]
          UnsafeMutableRawBufferPointer(rebasing: target[(row * count * 4)...]).copyBytes(
            from: bytes
          )
        }
      }
    }
    return result
  }

  /// Zero points `[rows, groups]` packed along the rows, `[words, groups]`.
  fileprivate func packedAlongRows(_ bits: Int) -> Tensor {
    let (rows, groups) = (shape[0], shape[1])
    let zeros = elements(as: UInt8.self)
    var words = [UInt32](repeating: 0, count: (rows * bits + 31) / 32 * groups)
    for row in 0..<rows {
      let (word, bit) = (row * bits).quotientAndRemainder(dividingBy: 32)
      for group in 0..<groups {
        let code = UInt64(zeros[row * groups + group]) << UInt64(bit)
        words[word * groups + group] |= UInt32(truncatingIfNeeded: code)
        if bit + bits > 32 { words[(word + 1) * groups + group] |= UInt32(code >> 32) }
      }
    }
    return Tensor(words.map { Int32(bitPattern: $0) }, shape: [words.count / groups, groups])
  }
}
