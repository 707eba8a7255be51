internal import CKernels
package import Tensor

/// Integer codes in groups, of which many stand for zero, as the places of the others and these.
///
/// A code is stored by its distance from the code of zero, modulo `2^bits`: for symmetric groups
/// its two's complement. Zero is then 0 in every group, and nothing of the codes is lost.
package struct SparseCodes: Sendable {
  /// How the places of codes other than zero are stored.
  package enum Places: Sendable, Hashable, CaseIterable {
    /// A bit for each code, of a byte the lowest first.
    case bitmask
    /// A number from 0 to 5 for every four codes of a row, of which two are stored; three in a byte.
    case pairs

    /// The bytes that the places of a row take.
    package func rowByteCount(columns: Int) -> Int {
      switch self {
      case .bitmask: (columns + 7) / 8
      case .pairs: (columns + 11) / 12
      }
    }
  }

  /// How places are stored.
  package let kind: Places
  /// `[rows, bytes]`, `uint8`.
  package let places: Tensor
  /// What is stored of codes, row after row, as a stream of bits, the lowest first, in whole 32-bit
  /// words, `[words]`, `int32`.
  package let words: Tensor

  /// The number of words that so many codes fill.
  package static func wordCount(_ count: Int, bits: Int) -> Int { (count * bits + 31) / 32 }

  /// The size of places and words, in bytes.
  package static func byteCount(
    _ kind: Places,
    rows: Int,
    columns: Int,
    bits: Int,
    valueCount: Int
  ) -> Int {
    rows * kind.rowByteCount(columns: columns) + 4 * wordCount(valueCount, bits: bits)
  }

  /// Takes two parts, already checked.
  package init(_ kind: Places, places: Tensor, words: Tensor) {
    (self.kind, self.places, self.words) = (kind, places, words)
  }

  /// Splits the codes of a weight.
  ///
  /// - Precondition: Its zero is no offset; for pairs, every four codes have at most two other
  ///   than zero.
  /// - Complexity: A few passes over the codes, one byte each in memory.
  package init(_ weight: GroupQuantizedWeight, _ kind: Places) {
    let distances = Self.distances(of: weight)
    let bits = weight.groupFormat.bits
    switch kind {
    case .bitmask:
      let matrix = BitmaskedMatrix(distances)
      self.init(kind, places: matrix.bitmask, words: Self.packed(matrix.values, bits: bits))
    case .pairs:
      let (rows, columns) = (distances.shape[0], distances.shape[1])
      let places = Tensor(zeros: [rows, kind.rowByteCount(columns: columns)], dtype: .uint8)
      let values = Tensor(uninitialized: [rows * columns / 2], dtype: .uint8)
      Self.eachRow(distances) { row, codes in
        let crowded = slm_pairs_split(
          codes,
          Int64(columns),
          Self.start(places, row),
          values.unsafeBase.assumingMemoryBound(to: UInt8.self) + row * columns / 2
        )
        require(crowded < 0, "sparse codes: more than 2 of 4 in row \(row)")
      }
      self.init(kind, places: places, words: Self.packed(values, bits: bits))
    }
  }

  /// How many codes of a weight are stored for each kind of places; nil where it does not fit.
  ///
  /// - Precondition: Its zero is no offset.
  package static func valueCounts(_ weight: GroupQuantizedWeight) -> [Places: Int] {
    let distances = distances(of: weight)
    var counts = [Places.bitmask: BitmaskedMatrix.valueCount(distances)]
    let columns = distances.shape[1]
    guard columns % 4 == 0 else { return counts }
    let misfits = Tensor(zeros: [distances.shape[0], 1], dtype: .uint8)
    eachRow(distances) { row, codes in
      if slm_pairs_split(codes, Int64(columns), nil, nil) >= 0 { start(misfits, row).pointee = 1 }
    }
    let fits = misfits.elements(as: UInt8.self).allSatisfy { $0 == 0 }
    if fits { counts[.pairs] = distances.count / 2 }
    return counts
  }

  /// The first row and byte of places that cannot be read; nil if all can.
  ///
  /// - Precondition: `places` is `[rows, bytes]` for the columns.
  package func damage(columns: Int) -> (row: Int, byte: Int)? {
    let bytes = places.shape[1]
    if kind == .bitmask {
      return BitmaskedMatrix.overlongRow(places, columns: columns).map { ($0, bytes - 1) }
    }
    for row in 0..<places.shape[0] {
      let byte = slm_pairs_invalid(Self.start(places, row), Int64(columns))
      if byte >= 0 { return (row, Int(byte)) }
    }
    return nil
  }

  /// How many codes the places say are stored.
  package func valueCount(columns: Int) -> Int {
    switch kind {
    case .bitmask: BitmaskedMatrix.rowOffsets(places).last ?? 0
    case .pairs: places.shape[0] * columns / 2
    }
  }

  /// Puts the codes together.
  ///
  /// - Parameters:
  ///   - format: Bits, groups and kind of zero.
  ///   - columns: The codes of a row.
  ///   - zeroPoints: The code of zero of each group, if the format has them.
  /// - Returns: The codes as streams of bits for each row, `[rows, ⌈columns · bits / 8⌉]`, `uint8`.
  /// - Precondition: The parts fit each other.
  package func codes(_ format: GroupFormat, columns: Int, zeroPoints: Tensor?) -> Tensor {
    let (rows, count) = (places.shape[0], valueCount(columns: columns))
    let values = words.reshaped([1, words.count])
      .unpackedCodes(bits: format.bits, columns: count).reshaped([count])
    let distances: Tensor
    switch kind {
    case .bitmask:
      distances = BitmaskedMatrix(bitmask: places, values: values, columns: columns).dense
    case .pairs:
      distances = Tensor(uninitialized: [rows, columns], dtype: .uint8)
      Self.eachRow(distances) { row, codes in
        slm_pairs_join(
          Self.start(places, row),
          Int64(columns),
          values.unsafeBase.assumingMemoryBound(to: UInt8.self) + row * columns / 2,
          codes
        )
      }
    }
    Self.move(distances, format, zeroPoints, back: true)
    return distances.packedCodes(bits: format.bits).viewedAsBytes()
      .firstBytes(format.codeByteCount(columns: columns))
  }

  // MARK: - Rows

  private static func distances(of weight: GroupQuantizedWeight) -> Tensor {
    let format = weight.groupFormat
    require(format.zero != .offset, "sparse codes: \(format) has no code of zero")
    let codes = weight.codes.unpackedCodes(bits: format.bits, columns: weight.columns)
    move(codes, format, weight.zeroPoints, back: false)
    return codes
  }

  /// Moves codes, one a byte, to their distances from zero or back, in place.
  private static func move(
    _ codes: Tensor,
    _ format: GroupFormat,
    _ zeroPoints: Tensor?,
    back: Bool
  ) {
    let columns = codes.shape[1]
    eachRow(codes) { row, codes in
      slm_codes_from_zero(
        codes,
        Int64(columns),
        zeroPoints.map { UnsafePointer(start($0, row)) },
        Int64(max(1, format.groupSize ?? columns)),
        Int32(format.bits),
        back
      )
    }
    withExtendedLifetime(zeroPoints) {}
  }

  private static func packed(_ values: Tensor, bits: Int) -> Tensor {
    let words = values.reshaped([1, values.count]).packedCodes(bits: bits)
    return words.reshaped([words.count])
  }

  private static func start(_ tensor: Tensor, _ row: Int) -> UnsafeMutablePointer<UInt8> {
    tensor.unsafeBase.assumingMemoryBound(to: UInt8.self) + row * tensor.shape[1]
  }

  /// Visits rows, several at a time: what is done with one must not depend on others.
  private static func eachRow(
    _ matrix: Tensor,
    _ body: @Sendable (_ row: Int, _ bytes: UnsafeMutablePointer<UInt8>) -> Void
  ) {
    parallelRanges(matrix.shape[0], grain: max(1, (1 << 15) / max(1, matrix.shape[1]))) { range in
      for row in range { body(row, start(matrix, row)) }
    }
    withExtendedLifetime(matrix) {}
  }
}
