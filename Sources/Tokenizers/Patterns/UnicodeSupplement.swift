/// The code points that Unicode 16 assigns and the installed PCRE2 does not know, by property.
///
/// PCRE2 carries the tables of the Unicode version it was built with; the standard library's are
/// newer and say in which version a code point came. What is missing is added to the classes.
struct UnicodeSupplement: Sendable {
  static let shared = UnicodeSupplement()

  /// Runs of code points by the name of a general category, `Alphabetic`, `Uppercase`,
  /// `Lowercase` or `Han`, written as the content of a class.
  private let runs: [String: String]
  /// Numbers that came after Unicode 16, which `Digits` knows and patterns do not.
  let laterNumbers: [UInt32]

  /// What to put into a class beside `\p{name}`.
  func content(of name: String) -> String {
    (runs[name] ?? "") + (name == "Alphabetic" ? Self.laterAlphabetic : "")
  }

  /// Marks that have been assigned for long and became alphabetic in Unicode 16.
  private static let laterAlphabetic =
    "\\x{363}-\\x{36f}\\x{c04}\\x{f82}\\x{f83}\\x{1dd3}-\\x{1de6}\\x{11080}\\x{11081}"

  private init() {
    var codePoints: [String: [UInt32]] = [:]
    var laterNumbers: [UInt32] = []
    for scalar in Self.unassigned() {
      guard UnicodeVersion.isAssigned(scalar, in: UnicodeVersion.patterns) else {
        if isNumeric(scalar) { laterNumbers.append(scalar.value) }
        continue
      }
      let properties = scalar.properties
      let category = Self.name(properties.generalCategory)
      codePoints[category, default: []].append(scalar.value)
      codePoints[String(category.prefix(1)), default: []].append(scalar.value)
      if properties.isAlphabetic { codePoints["Alphabetic", default: []].append(scalar.value) }
      if properties.isUppercase { codePoints["Uppercase", default: []].append(scalar.value) }
      if properties.isLowercase { codePoints["Lowercase", default: []].append(scalar.value) }
      if properties.isUnifiedIdeograph { codePoints["Han", default: []].append(scalar.value) }
    }
    runs = codePoints.mapValues(Self.classContent)
    self.laterNumbers = laterNumbers
  }

  /// The scalars PCRE2 takes for unassigned.
  private static func unassigned() -> [Unicode.Scalar] {
    var text: [UInt8] = []
    for value in UInt32(0x80)..<UnicodeVersion.assignedLimit {
      if let scalar = Unicode.Scalar(value) { text.append(scalar) }
    }
    var result: [Unicode.Scalar] = []
    let location = TokenizerError.Location(source: "built-in pattern", path: "")
    // The pattern is a constant that compiles; without it classes would lack recent code points.
    let expression = try? RegularExpression(untranslated: "\\p{Cn}+", at: location)
    text.withUnsafeBufferPointer { text in
      try? expression?.forEachMatch(in: text, 0..<text.count) { start, end in
        var position = start
        while position < end {
          let (value, length) = decodeScalar(text, position)
          if let scalar = Unicode.Scalar(value) { result.append(scalar) }
          position += length
        }
      }
    }
    return result
  }

  private static func classContent(_ codePoints: [UInt32]) -> String {
    var result = ""
    var start = 0
    while start < codePoints.count {
      var end = start
      while end + 1 < codePoints.count && codePoints[end + 1] == codePoints[end] + 1 { end += 1 }
      result += "\\x{\(String(codePoints[start], radix: 16))}"
      if end > start { result += "-\\x{\(String(codePoints[end], radix: 16))}" }
      start = end + 1
    }
    return result
  }

  private static func name(_ category: Unicode.GeneralCategory) -> String {
    switch category {
    case .uppercaseLetter: "Lu"
    case .lowercaseLetter: "Ll"
    case .titlecaseLetter: "Lt"
    case .modifierLetter: "Lm"
    case .otherLetter: "Lo"
    case .nonspacingMark: "Mn"
    case .spacingMark: "Mc"
    case .enclosingMark: "Me"
    case .decimalNumber: "Nd"
    case .letterNumber: "Nl"
    case .otherNumber: "No"
    case .connectorPunctuation: "Pc"
    case .dashPunctuation: "Pd"
    case .openPunctuation: "Ps"
    case .closePunctuation: "Pe"
    case .initialPunctuation: "Pi"
    case .finalPunctuation: "Pf"
    case .otherPunctuation: "Po"
    case .mathSymbol: "Sm"
    case .currencySymbol: "Sc"
    case .modifierSymbol: "Sk"
    case .otherSymbol: "So"
    case .spaceSeparator: "Zs"
    case .lineSeparator: "Zl"
    case .paragraphSeparator: "Zp"
    case .control: "Cc"
    case .format: "Cf"
    case .surrogate: "Cs"
    case .privateUse: "Co"
    default: "Cn"
    }
  }
}
