/// The classes of code points that the common splitting patterns tell apart, one byte each.
///
/// Letters and numbers are read off PCRE2 itself, so that the hand-written scanners and the
/// patterns they stand for cannot disagree about a code point.
struct UnicodeClasses: Sendable {
  static let other: UInt8 = 0
  static let letter: UInt8 = 1
  static let number: UInt8 = 2
  static let space: UInt8 = 3

  static let shared = UnicodeClasses()

  /// The class of each code point in patterns.
  private let table: [UInt8]
  /// The class of each code point where digits are separated first.
  private let digitTable: [UInt8]

  private init() {
    var text: [UInt8] = []
    var table = [UInt8](repeating: Self.other, count: 0x11_0000)
    for value in UInt32(0)..<UnicodeVersion.assignedLimit {
      if let scalar = Unicode.Scalar(value) { text.append(scalar) }
    }
    let classes = [("\\p{L}+", Self.letter), ("\\p{N}+", Self.number), ("\\s+", Self.space)]
    let location = TokenizerError.Location(source: "built-in pattern", path: "")
    text.withUnsafeBufferPointer { text in
      for (pattern, value) in classes {
        // These three patterns are constants that compile, and single-class loops cannot exceed
        // a limit; were one to fail, its class would be empty and the scanner tests would say so.
        guard let expression = try? RegularExpression(pattern, at: location) else { continue }
        try? expression.forEachMatch(in: text, 0..<text.count) { start, end in
          var position = start
          while position < end {
            let (scalar, length) = decodeScalar(text, position)
            table[Int(scalar)] = value
            position += length
          }
        }
      }
    }
    self.table = table
    for value in UnicodeSupplement.shared.laterNumbers { table[Int(value)] = Self.number }
    digitTable = table
  }

  /// Calls `body` with the table: one class for each of the 0x110000 code points.
  ///
  /// - Parameters:
  ///   - separatesDigits: Whether numbers are those of `Digits`, not of patterns.
  ///   - body: What to do with the table.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  @inline(__always)
  func withTable<Result>(
    separatesDigits: Bool,
    _ body: (UnsafePointer<UInt8>) throws(TokenizerError) -> Result
  ) throws(TokenizerError) -> Result {
    try (separatesDigits ? digitTable : table).withUnsafeBufferPointer {
      buffer throws(TokenizerError) in
      guard let base = buffer.baseAddress else {
        throw TokenizerError(
          .pattern,
          at: .init(source: "", path: ""),
          "no class table",
          remedy: "report this"
        )
      }
      return try body(base)
    }
  }
}
