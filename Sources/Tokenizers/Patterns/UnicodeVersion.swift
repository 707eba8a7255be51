/// Properties of code points as an older version of Unicode had them.
///
/// Ids follow from them, so each has to be of the version that the corresponding part of the
/// `tokenizers` library uses; a code point that came later counts as unassigned.
enum UnicodeVersion {
  /// Of the regular expressions.
  static let patterns: UInt = 16
  /// Above it there are only marks, tags and code points for private use, which are in every
  /// version that matters here.
  static let assignedLimit: UInt32 = 0x3_3480
  /// Of the normalization forms and of combining marks.
  static let normalization = 9
  /// Of BERT's normalizer and of punctuation.
  static let categories = 8

  /// Code points whose category has changed since, and what it was in Unicode 8 and 9.
  private static let former: [UInt32: Unicode.GeneralCategory] = [
    0x166D: .otherPunctuation, 0x1734: .nonspacingMark, 0x1CF2: .spacingMark,
    0x1CF3: .spacingMark, 0xA9BD: .spacingMark, 0x111C9: .otherPunctuation,
    0x1171E: .nonspacingMark,
  ]

  static func isAssigned(_ scalar: Unicode.Scalar, in version: some BinaryInteger) -> Bool {
    guard let age = scalar.properties.age else { return false }
    return age.major <= version
  }

  /// The general category that a scalar had in a version before 10.
  static func formerCategory(
    _ scalar: Unicode.Scalar,
    in version: Int
  ) -> Unicode.GeneralCategory {
    if scalar.isASCII { return scalar.properties.generalCategory }
    if let category = former[scalar.value] { return category }
    // Two letters that became marks in Unicode 9.
    if version < 9, scalar.value == 0x1885 || scalar.value == 0x1886 { return .otherLetter }
    return isAssigned(scalar, in: version) ? scalar.properties.generalCategory : .unassigned
  }
}
