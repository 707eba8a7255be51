/// Rewrites a regular expression from Oniguruma's syntax to PCRE2's.
///
/// The two agree on most of the syntax. They differ in what `\s` and `\w` contain, in `\h`
/// (a hexadecimal digit here, a horizontal space there), in `(?m)` (`(?s)` there), in classes
/// inside classes and in `&&` between them. What cannot be rewritten is an error.
struct PatternTranslator {
  private static let space =
    "\\t-\\r\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
    + "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
  private static let notSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}"
    + "\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"
    + "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}\\x{e000}-\\x{10ffff}"
  private static let classWord = ["Alphabetic", "M", "Nd", "Pc"].map(property).joined()
  /// Outside classes, Oniguruma counts Latin-1's superscripts and fractions among word characters.
  private static let word = classWord + "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
  private static let hexadecimal = "0-9a-fA-F"

  private let pattern: [Unicode.Scalar]
  private let location: TokenizerError.Location
  private var position = 0

  init(_ pattern: String, at location: TokenizerError.Location) {
    self.pattern = Array(pattern.unicodeScalars)
    self.location = location
  }

  mutating func translate() throws(TokenizerError) -> String {
    var result = String.UnicodeScalarView()
    while position < pattern.count {
      switch pattern[position] {
      case "\\": result.append(contentsOf: try translateEscape().unicodeScalars)
      case "[": result.append(contentsOf: try translateClass(depth: 0).unicodeScalars)
      case "(": result.append(contentsOf: try translateGroupStart().unicodeScalars)
      case "}" where position + 1 < pattern.count && pattern[position + 1] == "+":
        throw unsupported("a '+' after an interval")
      default:
        result.append(pattern[position])
        position += 1
      }
    }
    return String(result)
  }

  private func unsupported(_ what: String) -> TokenizerError {
    TokenizerError(
      .unsupported,
      at: location,
      "\(what) in a regular expression is not supported",
      remedy: "write the pattern without it"
    )
  }

  /// Copies the start of a group, changing the letter of the option that lets `.` match newlines.
  private mutating func translateGroupStart() throws(TokenizerError) -> String {
    var result = "("
    position += 1
    guard position < pattern.count, pattern[position] == "?" else { return result }
    var end = position + 1
    while end < pattern.count, pattern[end] == "-" || pattern[end].properties.isAlphabetic {
      end += 1
    }
    guard end < pattern.count, pattern[end] == ":" || pattern[end] == ")" else { return result }
    for scalar in pattern[position..<end] {
      switch scalar {
      case "?", "-", "i", "x": result.unicodeScalars.append(scalar)
      case "m": result.unicodeScalars.append("s")
      default: throw unsupported("the option '\(scalar)'")
      }
    }
    position = end
    return result
  }

  /// Translates the escape at `position`, outside a class.
  private mutating func translateEscape() throws(TokenizerError) -> String {
    guard position + 1 < pattern.count else { throw unsupported("a '\\' at the end") }
    let letter = pattern[position + 1]
    position += 2
    switch letter {
    case "s": return "[\(Self.space)]"
    case "S": return "[\(Self.notSpace)]"
    case "w": return "[\(Self.word)]"
    case "W": return "[^\(Self.word)]"
    case "h": return "[\(Self.hexadecimal)]"
    case "H": return "[^\(Self.hexadecimal)]"
    case "d": return "[\(Self.property("Nd"))]"
    case "D": return "[^\(Self.property("Nd"))]"
    case "p", "P":
      let (content, isNegated) = try readProperty(letter)
      return isNegated ? "[^\(content)]" : "[\(content)]"
    case "b":
      return "(?:(?<=[\(Self.word)])(?![\(Self.word)])|(?<![\(Self.word)])(?=[\(Self.word)]))"
    case "B":
      return "(?:(?<=[\(Self.word)])(?=[\(Self.word)])|(?<![\(Self.word)])(?![\(Self.word)]))"
    default: return try copyEscape(letter)
    }
  }

  /// The content of a class for a property, with code points PCRE2 is too old for.
  private static func property(_ name: String) -> String {
    let isCategory = name.count <= 2
    let isKnown = isCategory || ["Alphabetic", "Uppercase", "Lowercase"].contains(name)
    // A script's name alone would also match what is shared with other scripts.
    return "\\p{\(isKnown ? name : "sc:\(name)")}" + UnicodeSupplement.shared.content(of: name)
  }

  /// Reads `\p{name}` or `\P{name}`, whose letter has been read.
  private mutating func readProperty(
    _ letter: Unicode.Scalar
  ) throws(TokenizerError) -> (content: String, isNegated: Bool) {
    var isNegated = letter == "P"
    guard position < pattern.count, pattern[position] == "{",
      let end = pattern[position...].firstIndex(of: "}")
    else { throw unsupported("'\\\(letter)' without braces") }
    var name = String(String.UnicodeScalarView(pattern[(position + 1)..<end]))
    if name.hasPrefix("^") {
      isNegated.toggle()
      name.removeFirst()
    }
    guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0 == "_" }) else {
      throw unsupported("the property '\(name)'")
    }
    position = end + 1
    return (Self.property(name), isNegated)
  }

  /// Copies an escape that both syntaxes read alike, or throws.
  private mutating func copyEscape(_ letter: Unicode.Scalar) throws(TokenizerError) -> String {
    switch letter {
    case "u":
      guard position + 4 <= pattern.count else { throw unsupported("a short '\\u'") }
      let digits = String(String.UnicodeScalarView(pattern[position..<(position + 4)]))
      guard UInt32(digits, radix: 16) != nil else { throw unsupported("'\\u\(digits)'") }
      position += 4
      return "\\x{\(digits)}"
    case "t", "n", "r", "f", "v", "a", "e", "x", "A", "z", "Z", "G", "R", "K",
      "0"..."9", "k", "g":
      return letter == "v" ? "\\x{b}" : "\\\(letter)"
    default:
      guard letter.isASCII, letter.properties.isAlphabetic else { return "\\\(letter)" }
      throw unsupported("'\\\(letter)'")
    }
  }

  /// Translates the class whose `[` is at `position`.
  ///
  /// `[a&&b]` becomes a lookahead for `b` before `[a]`, since PCRE2 cannot intersect classes.
  private mutating func translateClass(depth: Int) throws(TokenizerError) -> String {
    guard depth < 8 else { throw unsupported("a class nested this deep") }
    position += 1
    var isNegated = false
    if position < pattern.count, pattern[position] == "^" {
      isNegated = true
      position += 1
    }
    var operands: [String] = []
    var content = ""
    var alternatives: [String] = []
    var isFirst = true
    while position < pattern.count {
      let scalar = pattern[position]
      let next = position + 1 < pattern.count ? pattern[position + 1] : nil
      if scalar == "]" && !isFirst {
        position += 1
        operands.append(Self.union(content, alternatives))
        return Self.intersection(operands, isNegated: isNegated)
      }
      isFirst = false
      if scalar == "[" && next == ":" {
        content += try translateNamedClass()
      } else if scalar == "[" {
        alternatives.append(try translateClass(depth: depth + 1))
      } else if scalar == "&" && next == "&" {
        operands.append(Self.union(content, alternatives))
        content = ""
        alternatives = []
        position += 2
      } else if scalar == "\\" {
        content += try translateClassEscape(&alternatives)
      } else {
        content.unicodeScalars.append(scalar)
        position += 1
      }
    }
    throw unsupported("a class without its ']'")
  }

  private static func union(_ content: String, _ alternatives: [String]) -> String {
    if alternatives.isEmpty { return content.isEmpty ? "(?!)" : "[\(content)]" }
    let all = (content.isEmpty ? [] : ["[\(content)]"]) + alternatives
    return all.count == 1 ? all[0] : "(?:\(all.joined(separator: "|")))"
  }

  private static func intersection(_ operands: [String], isNegated: Bool) -> String {
    if operands.count == 1 {
      let only = operands[0]
      guard isNegated else { return only }
      return only.hasPrefix("[") && !only.hasPrefix("[^")
        ? "[^" + only.dropFirst()
        : "(?:(?!\(only))(?s:.))"
    }
    let last = operands[operands.count - 1]
    let ahead = operands.dropLast().map { "(?=\($0))" }.joined()
    return isNegated ? "(?:(?!\(ahead)\(last))(?s:.))" : "(?:\(ahead)\(last))"
  }

  /// Translates `[:name:]`, whose `[` is at `position`.
  private mutating func translateNamedClass() throws(TokenizerError) -> String {
    var name = ""
    position += 2
    while position < pattern.count, pattern[position] != ":" {
      name.unicodeScalars.append(pattern[position])
      position += 1
    }
    guard position + 1 < pattern.count, pattern[position + 1] == "]" else {
      throw unsupported("'[:' without ':]'")
    }
    position += 2
    switch name {
    case "alpha": return Self.property("Alphabetic")
    case "alnum": return Self.property("Alphabetic") + Self.property("Nd")
    case "digit": return Self.property("Nd")
    case "upper": return Self.property("Uppercase")
    case "lower": return Self.property("Lowercase")
    case "punct": return Self.property("P") + Self.property("S")
    case "space": return Self.space
    case "word": return Self.classWord
    case "xdigit": return Self.hexadecimal
    default: throw unsupported("the class '[:\(name):]'")
    }
  }

  private mutating func translateClassEscape(
    _ alternatives: inout [String]
  ) throws(TokenizerError) -> String {
    guard position + 1 < pattern.count else { throw unsupported("a '\\' at the end") }
    let letter = pattern[position + 1]
    position += 2
    switch letter {
    case "s": return Self.space
    case "S": return Self.notSpace
    case "w": return Self.classWord
    case "h": return Self.hexadecimal
    case "d": return Self.property("Nd")
    case "p", "P":
      let (content, isNegated) = try readProperty(letter)
      if !isNegated { return content }
      alternatives.append("[^\(content)]")
      return ""
    case "D":
      alternatives.append("[^\(Self.property("Nd"))]")
      return ""
    case "W":
      alternatives.append("[^\(Self.classWord)]")
      return ""
    case "H", "R", "X", "K", "A", "z", "Z", "G", "k", "g":
      throw unsupported("'\\\(letter)' inside a class")
    case "b": return "\\x{8}"
    default: return try copyEscape(letter)
    }
  }
}
