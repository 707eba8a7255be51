// The names are the field's, which no one would look for without their underscores.
// swift-format-ignore: AlwaysUseLowerCamelCase
/// A GGUF block format: a fixed number of weights that share scales and are packed together.
///
/// The layouts are those of ggml's `ggml-common.h`; raw values are ggml's type numbers.
public enum BlockFormat: Int32, Sendable, Hashable, CaseIterable {
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  case iq4_NL = 20
  case iq4_XS = 23

  /// The number of weights in a block: 32, or 256 for the K formats and IQ4_XS.
  public var blockLength: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_NL: 32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_XS: 256
    }
  }

  /// The size of a block in bytes, scales included.
  public var blockByteCount: Int {
    switch self {
    case .q4_0, .iq4_NL: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .iq4_XS: 136
    }
  }

  /// The name that llama.cpp gives the format, such as `Q4_0`.
  public var name: String {
    switch self {
    case .q4_0: "Q4_0"
    case .q4_1: "Q4_1"
    case .q5_0: "Q5_0"
    case .q5_1: "Q5_1"
    case .q8_0: "Q8_0"
    case .q2_K: "Q2_K"
    case .q3_K: "Q3_K"
    case .q4_K: "Q4_K"
    case .q5_K: "Q5_K"
    case .q6_K: "Q6_K"
    case .iq4_NL: "IQ4_NL"
    case .iq4_XS: "IQ4_XS"
    }
  }

  /// Bits per weight, scales included.
  public var bitsPerWeight: Double { Double(8 * blockByteCount) / Double(blockLength) }
}
