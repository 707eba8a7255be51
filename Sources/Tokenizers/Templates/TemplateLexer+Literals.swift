extension TemplateLexer {
  mutating func readNumber() throws(TokenizerError) {
    let start = position
    func isDigit(_ place: Int) -> Bool {
      place < source.count && ("0"..."9").contains(source[place])
    }
    func digitsEnd(_ place: Int) -> Int {
      var place = place
      while isDigit(place) || (place < source.count && source[place] == "_" && isDigit(place + 1)) {
        place += 1
      }
      return place
    }
    if source[start] == "0", start + 1 < source.count,
      let radix = ["b": 2, "o": 8, "x": 16, "B": 2, "O": 8, "X": 16][source[start + 1]]
    {
      position += 2
      while position < source.count,
        source[position] == "_" || Character(source[position]).isHexDigit
      {
        position += 1
      }
      let digits = string((start + 2)..<position).replacing("_", with: "")
      guard let value = Int(digits, radix: radix) else { throw tooLarge(start) }
      add(.integer(value), at: start)
      return
    }
    position = digitsEnd(start)
    var isWhole = true
    if position < source.count, source[position] == ".", isDigit(position + 1) {
      isWhole = false
      position = digitsEnd(position + 1)
    }
    if position < source.count, source[position] == "e" || source[position] == "E" {
      var place = position + 1
      if place < source.count, source[place] == "+" || source[place] == "-" { place += 1 }
      if isDigit(place) {
        isWhole = false
        position = digitsEnd(place)
      }
    }
    let digits = string(start..<position).replacing("_", with: "")
    if isWhole {
      guard let value = Int(digits) else { throw tooLarge(start) }
      add(.integer(value), at: start)
    } else {
      guard let value = Double(digits) else { throw tooLarge(start) }
      add(.number(value), at: start)
    }
  }

  private func tooLarge(_ start: Int) -> TokenizerError {
    failure("the number \(string(start..<position)) does not fit 64 bits", at: start)
  }

  mutating func readString() throws(TokenizerError) {
    let start = position
    let quote = source[start]
    position += 1
    var text = String.UnicodeScalarView()
    while position < source.count {
      let scalar = source[position]
      position += 1
      if scalar == quote {
        add(.string(String(text)), at: start)
        return
      }
      if scalar == "\\" { try readEscape(&text) } else { text.append(scalar) }
    }
    throw failure("the string is not closed", at: start)
  }

  /// Reads what follows a backslash; one that starts no escape stands for itself.
  private mutating func readEscape(_ text: inout String.UnicodeScalarView) throws(TokenizerError) {
    let start = position - 1
    guard position < source.count else { throw failure("the string is not closed", at: start) }
    let scalar = source[position]
    position += 1
    switch scalar {
    case "\n": break
    case "\\", "'", "\"": text.append(scalar)
    case "a": text.append("\u{7}")
    case "b": text.append("\u{8}")
    case "f": text.append("\u{C}")
    case "n": text.append("\n")
    case "r": text.append("\r")
    case "t": text.append("\t")
    case "v": text.append("\u{B}")
    case "x": text.append(try hexadecimal(2, from: start))
    case "u": text.append(try hexadecimal(4, from: start))
    case "U": text.append(try hexadecimal(8, from: start))
    case "N": throw failure("the escape \\N is not supported", at: start)
    case "0"..."7":
      var value = scalar.value - 0x30
      var count = 1
      while count < 3, position < source.count, ("0"..."7").contains(source[position]) {
        value = value * 8 + source[position].value - 0x30
        position += 1
        count += 1
      }
      text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
    default:
      text.append("\\")
      text.append(scalar)
    }
  }

  private mutating func hexadecimal(
    _ count: Int,
    from start: Int
  ) throws(TokenizerError) -> Unicode.Scalar {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard position < source.count, let digit = Character(source[position]).hexDigitValue else {
        throw failure("the escape needs \(count) hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw failure("the escape is of no character", at: start)
    }
    return scalar
  }
}
