/// Returns whether the bytes are well-formed UTF-8.
func isValidUTF8(_ bytes: [UInt8]) -> Bool {
  String(validating: bytes, as: UTF8.self) != nil
}

/// The bytes that stand for what is not valid UTF-8, U+FFFD.
let replacementCharacter: [UInt8] = [0xEF, 0xBF, 0xBD]

/// The number of bytes of the UTF-8 sequence that starts with `byte`, for well-formed text.
@inline(__always)
func sequenceLength(_ byte: UInt8) -> Int {
  byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
}

/// Decodes the scalar at `position` of well-formed UTF-8.
///
/// - Precondition: `position` is the start of a sequence that lies inside `text`.
@inline(__always)
func decodeScalar(
  _ text: UnsafeBufferPointer<UInt8>,
  _ position: Int
) -> (value: UInt32, length: Int) {
  let first = UInt32(text[position])
  if first < 0x80 { return (first, 1) }
  let second = UInt32(text[position + 1] & 0x3F)
  if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
  let third = UInt32(text[position + 2] & 0x3F)
  if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
  let fourth = UInt32(text[position + 3] & 0x3F)
  return ((first & 0x07) << 18 | second << 12 | third << 6 | fourth, 4)
}

extension [UInt8] {
  /// Appends a scalar as UTF-8.
  mutating func append(_ scalar: Unicode.Scalar) {
    append(contentsOf: UTF8.encode(scalar) ?? .init())
  }

  /// Replaces the text by what `transform` makes of each scalar; nothing removes it.
  mutating func mapScalars(_ transform: (Unicode.Scalar, inout [UInt8]) -> Void) {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    for scalar in String(decoding: self, as: UTF8.self).unicodeScalars {
      transform(scalar, &result)
    }
    self = result
  }
}
