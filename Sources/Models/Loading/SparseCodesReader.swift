internal import Checkpoints
internal import Tensor

extension FolderWeights {
  /// The suffixes of the tensors that places can be in.
  private static let placeSuffixes: [(SparseCodes.Places, String)] = [
    (.bitmask, SparseCodes.Places.bitmask.suffix), (.pairs, SparseCodes.Places.pairs.suffix),
  ]

  /// Whether a module's codes are stored as places and what is not zero: our own format
  /// `sparse-pack-quantized`.
  static func hasSparseCodes(_ module: String, _ tensors: any TensorSource) -> Bool {
    placeSuffixes.contains { tensors.entry("\(module).\($0.1)") != nil }
  }

  /// The codes of a module that are stored sparsely.
  ///
  /// What the parts say of each other is checked here, so that putting codes together cannot fail.
  ///
  /// - Complexity: One pass over the places; the codes are made when they are read.
  func sparseCodes(
    _ module: String,
    rows: Int,
    columns: Int,
    bits: Int
  ) throws -> SparseCodes {
    let found = Self.placeSuffixes.filter { tensors.entry("\(module).\($0.1)") != nil }
    guard let (kind, suffix) = found.first, found.count == 1 else {
      throw malformed("places are stored in two ways", "\(module).\(found[0].1)", at: 0)
    }
    let shape = try part("\(module).weight_shape", .int64, [2]).elements(as: Int64.self)
    let expected = [Int64(rows), Int64(columns)]
    if let axis = shape.indices.first(where: { shape[$0] != expected[$0] }) {
      throw malformed(
        "the matrix is \(shape), the configuration asks for \(expected)",
        "\(module).weight_shape",
        at: 8 * axis
      )
    }
    let name = "\(module).\(suffix)"
    guard kind == .bitmask || columns % 4 == 0 else {
      throw malformed("pairs of every four do not divide \(columns) columns", name, at: 0)
    }
    let bytes = kind.rowByteCount(columns: columns)
    let places = try part(name, .uint8, [rows, bytes])
    let wordsName = "\(module).\(SparseCodes.wordsSuffix)"
    guard let entry = tensors.entry(wordsName) else { throw missing(wordsName, in: file) }
    // The number of words is known when the places are.
    let words = try part(wordsName, .int32, [entry.shape.count])
    let codes = SparseCodes(kind, places: places, words: words)
    if let (row, byte) = codes.damage(columns: columns) {
      let problem =
        kind == .bitmask ? "has bits behind its last column" : "has pairs that there are not"
      throw malformed("row \(row) \(problem)", name, at: row * bytes + byte)
    }
    let count = codes.valueCount(columns: columns)
    let wordCount = SparseCodes.wordCount(count, bits: bits)
    guard words.count == wordCount else {
      throw malformed(
        "the tensor has \(words.count) words, and the \(count) codes of \(bits) bits that "
          + "`\(name)` names fill \(wordCount)",
        wordsName,
        at: 0
      )
    }
    let used = count * bits % 32
    if used > 0, let last = words.elements(as: Int32.self).last,
      UInt32(bitPattern: last) >> UInt32(used) != 0
    {
      throw malformed("there are bits behind the last code", wordsName, at: 4 * (wordCount - 1))
    }
    // Where places name more codes than there are, what fills the last word is read as codes.
    if kind == .bitmask, count > 0, codes.lastCode(count, bits: bits) == 0 {
      throw malformed(
        "the last code is zero, as none that are stored are: `\(name)` names too many",
        wordsName,
        at: (count - 1) * bits / 8
      )
    }
    return codes
  }
}

extension SparseCodes {
  /// The last of so many codes.
  fileprivate func lastCode(_ count: Int, bits: Int) -> UInt32 {
    let (index, shift) = ((count - 1) * bits).quotientAndRemainder(dividingBy: 32)
    return words.withElements(as: Int32.self) { words in
      let low = UInt64(UInt32(bitPattern: words[index]))
      let high = index + 1 < words.count ? UInt64(UInt32(bitPattern: words[index + 1])) : 0
      return UInt32(truncatingIfNeeded: (low | high << 32) >> UInt64(shift))
        & (1 << UInt32(bits) - 1)
    }
  }

  /// What `format` of a group in config.json is.
  package static let formatName = "sparse-pack-quantized"
  /// What the tensor of codes is called.
  package static let wordsSuffix = "weight_nonzero_packed"
}

extension SparseCodes.Places {
  /// What the tensor of places is called.
  package var suffix: String {
    switch self {
    case .bitmask: "weight_bitmask"
    case .pairs: "weight_pairs"
    }
  }
}
