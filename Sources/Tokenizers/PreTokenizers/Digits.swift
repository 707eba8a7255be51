/// Separates digits from everything else.
struct Digits: PreTokenizer {
  /// Whether each digit is a piece of its own.
  let isIndividual: Bool

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(isIndividual ? .isolated : .contiguous, at: isNumeric)
  }
}

/// Whether a scalar is a number in any of Unicode's three senses (Nd, Nl and No).
func isNumeric(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .decimalNumber, .letterNumber, .otherNumber: true
  default: false
  }
}
