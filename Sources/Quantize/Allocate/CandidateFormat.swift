internal import Models
public import Pipeline
internal import Tensor

/// What `quantize.allocate` can make of a matrix: blocks, or codes in groups.
///
/// ```swift
/// CandidateFormat(recipeText: "q4_k")         // .blocks(.q4_k)
/// CandidateFormat(recipeText: "int3_g64")     // .groups(bits: 3, size: .columns(64))
/// CandidateFormat(recipeText: "int8_channel") // .groups(bits: 8, size: .channel)
/// ```
public enum CandidateFormat: RecipeText, Hashable {
  /// Blocks of GGUF.
  case blocks(CandidateBlocks)
  /// Integer codes of `bits` bits, in `2...8`, with a scale per group.
  case groups(bits: Int, size: GroupSize)

  /// The names of the blocks, and an example of groups.
  public static var typeName: String {
    let blocks = CandidateBlocks.allCases.map { "`\($0.rawValue)`" }
    return Wording.list(blocks + ["groups as in `int4_g64`"], "or")
  }

  /// The blocks, and how groups are written, with their meaning.
  public static var choices: [(name: String, summary: String)] {
    CandidateBlocks.choices + [
      ("int4_g64", "integer codes of 2 to 8 bits, a scale for every so many columns"),
      ("int8_channel", "integer codes of 2 to 8 bits, a scale for every row"),
    ]
  }

  /// Reads the name of blocks, or bits and group size.
  public init?(recipeText: String) {
    if let blocks = CandidateBlocks(rawValue: recipeText) {
      self = .blocks(blocks)
      return
    }
    guard let match = recipeText.wholeMatch(of: /int([2-8])_(channel|g([1-9][0-9]*))/),
      let bits = Int(match.1), let size = GroupSize(recipeText: String(match.3 ?? match.2))
    else { return nil }
    self = .groups(bits: bits, size: size)
  }

  /// The name of the blocks, or bits and group size.
  public var recipeText: String {
    switch self {
    case .blocks(let blocks): blocks.rawValue
    case .groups(let bits, .channel): "int\(bits)_channel"
    case .groups(let bits, .columns(let count)): "int\(bits)_g\(count)"
    }
  }
}

/// Blocks of GGUF that `quantize.allocate` can make of a matrix.
public enum CandidateBlocks: String, RecipeChoice {
  // Named as the formats are.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, iq4_nl, q4_0, iq4_xs, q3_k, q2_k

  /// What the choice means.
  public var summary: String {
    let format = format
    return "blocks of \(format.blockLength), \(format.bitsPerWeight) bits a weight"
  }

  var format: BlockFormat {
    switch self {
    case .q8_0: .q8_0
    case .q6_k: .q6_K
    case .q5_k: .q5_K
    case .q5_1: .q5_1
    case .q5_0: .q5_0
    case .q4_k: .q4_K
    case .q4_1: .q4_1
    case .iq4_nl: .iq4_NL
    case .q4_0: .q4_0
    case .iq4_xs: .iq4_XS
    case .q3_k: .q3_K
    case .q2_k: .q2_K
    }
  }
}

extension WeightFormat {
  /// What a weight of a matrix with rows of so many columns takes, scales included, in bits.
  func bitsPerWeight(columns: Int) -> Double {
    if case .blocks(let format) = self { return format.bitsPerWeight }
    return 8 * Double(byteCount(rows: 1, columns: columns)) / Double(max(1, columns))
  }
}
