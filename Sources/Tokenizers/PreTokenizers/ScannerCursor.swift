/// Finds where pieces end in a text, given the class of every code point.
struct ScannerCursor {
  let text: UnsafeBufferPointer<UInt8>
  /// Where the text ends; nothing behind it is looked at.
  let end: Int
  let classes: UnsafePointer<UInt8>

  @inline(__always)
  func classify(_ position: Int) -> (class: UInt8, length: Int) {
    let byte = text[position]
    if byte < 0x80 { return (classes[Int(byte)], 1) }
    let (scalar, length) = decodeScalar(text, position)
    return (classes[Int(scalar)], length)
  }

  /// Where the run of code points of a class that starts at `position` ends.
  @inline(__always)
  func endOfRun(_ position: Int, of wanted: UInt8) -> Int {
    var position = position
    while position < end {
      let (found, length) = classify(position)
      if found != wanted { break }
      position += length
    }
    return position
  }

  /// The length of the contraction at `position`, which holds an apostrophe; 0 if there is none.
  @inline(__always)
  func contraction(_ position: Int, ignoresCase: Bool) -> Int {
    guard position + 1 < end else { return 0 }
    let fold: UInt8 = ignoresCase ? 0x20 : 0
    let first = text[position + 1] | fold
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    default: break
    }
    guard position + 2 < end else { return 0 }
    let second = text[position + 2] | fold
    switch (first, second) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return 3
    default:
      // U+017F, the long s, is the only other letter that equals one of these but for case.
      let isLongS = ignoresCase && text[position + 1] == 0xC5 && text[position + 2] == 0xBF
      return isLongS ? 3 : 0
    }
  }

  /// Where the whitespace piece at `position` ends: the whole run at the end of the text, else
  /// the run without its last code point, unless that leaves nothing.
  @inline(__always)
  func endOfSpace(_ position: Int, runEnd: Int, stopsLikeEnd: Bool) -> Int {
    if runEnd == end || stopsLikeEnd { return runEnd }
    var last = runEnd - 1
    while text[last] & 0xC0 == 0x80 { last -= 1 }
    return last > position ? last : runEnd
  }

  /// Where the piece at `position` ends in GPT-2's pattern.
  ///
  /// - Parameters:
  ///   - position: Where the piece starts.
  ///   - separatesDigits: Whether each number code point is a piece of its own that bounds the
  ///     text on both sides.
  /// - Returns: A position after `position`.
  @inline(__always)
  func endOfGPT2Piece(_ position: Int, separatesDigits: Bool) -> Int {
    if text[position] == UInt8(ascii: "'") {
      let length = contraction(position, ignoresCase: false)
      if length > 0 { return position + length }
    }
    var start = position
    var (found, length) = classify(position)
    if text[position] == 0x20, position + 1 < end {
      let (next, nextLength) = classify(position + 1)
      if next != UnicodeClasses.space && !(separatesDigits && next == UnicodeClasses.number) {
        start = position + 1
        found = next
        length = nextLength
      }
    }
    if found != UnicodeClasses.space {
      if separatesDigits && found == UnicodeClasses.number { return start + length }
      return endOfRun(start + length, of: found)
    }
    let runEnd = endOfRun(position + length, of: UnicodeClasses.space)
    let stopsAtDigit =
      separatesDigits && runEnd < end && classify(runEnd).class == UnicodeClasses.number
    return endOfSpace(position, runEnd: runEnd, stopsLikeEnd: stopsAtDigit)
  }

  /// Where the piece at `position` ends in the pattern of Llama 3 and Qwen 2.
  @inline(__always)
  func endOfLlama3Piece(_ position: Int, digits: Int) -> Int {
    let first = text[position]
    if first == UInt8(ascii: "'") {
      let length = contraction(position, ignoresCase: true)
      if length > 0 { return position + length }
    }
    let (found, length) = classify(position)
    let next = position + length
    if found == UnicodeClasses.letter { return endOfRun(next, of: UnicodeClasses.letter) }
    if found == UnicodeClasses.number {
      var position = next
      var count = 1
      while count < digits, position < end {
        let (found, length) = classify(position)
        if found != UnicodeClasses.number { break }
        position += length
        count += 1
      }
      return position
    }
    let following = next < end ? classify(next) : (class: UnicodeClasses.space, length: 0)
    let isNewline = first == 0x0A || first == 0x0D
    if !isNewline && following.class == UnicodeClasses.letter {
      return endOfRun(next + following.length, of: UnicodeClasses.letter)
    }
    let startsOther =
      found == UnicodeClasses.other || (first == 0x20 && following.class == UnicodeClasses.other)
    if startsOther {
      var position = endOfRun(next, of: UnicodeClasses.other)
      while position < end, text[position] == 0x0A || text[position] == 0x0D { position += 1 }
      return position
    }
    let runEnd = endOfRun(next, of: UnicodeClasses.space)
    var lastNewline = runEnd - 1
    while lastNewline >= position && text[lastNewline] != 0x0A && text[lastNewline] != 0x0D {
      lastNewline -= 1
    }
    if lastNewline >= position { return lastNewline + 1 }
    return endOfSpace(position, runEnd: runEnd, stopsLikeEnd: false)
  }
}
