public import Pipeline
internal import Tensor

/// Where zeros may lie.
///
/// In a recipe `unstructured`; `2:4` for at most 2 weights other than zero in every 4 neighbours of
/// a row; or `16x4` for whole blocks of 16 rows and 4 columns.
public enum SparsityPattern: RecipeText, Hashable {
  /// Anywhere.
  case unstructured
  /// At most so many weights other than zero in each group of neighbouring columns of a row.
  case groups(nonzero: Int, of: Int)
  /// In whole blocks of rows and columns.
  case blocks(rows: Int, columns: Int)

  /// “`unstructured`, `N:M` such as `2:4`, or blocks such as `16x4`”.
  public static var typeName: String {
    "`unstructured`, `N:M` such as `2:4`, or blocks such as `16x4`"
  }

  /// Reads `unstructured`, two numbers joined by `:` of which the first is less, or two joined by
  /// `x`.
  public init?(recipeText: String) {
    func numbers(_ separator: Character, _ limit: Int) -> (Int, Int)? {
      let parts = recipeText.split(separator: separator, omittingEmptySubsequences: false)
        .map { Int($0) ?? 0 }
      guard parts.count == 2, parts.allSatisfy({ (1...limit).contains($0) }) else { return nil }
      return (parts[0], parts[1])
    }
    if recipeText == "unstructured" {
      self = .unstructured
    } else if let (nonzero, size) = numbers(":", 64), nonzero < size {
      self = .groups(nonzero: nonzero, of: size)
    } else if let (rows, columns) = numbers("x", 4096), rows * columns > 1 {
      self = .blocks(rows: rows, columns: columns)
    } else {
      return nil
    }
  }

  /// The pattern as read.
  public var recipeText: String {
    switch self {
    case .unstructured: "unstructured"
    case .groups(let nonzero, let size): "\(nonzero):\(size)"
    case .blocks(let rows, let columns): "\(rows)x\(columns)"
    }
  }

  /// The fraction of zeros that the pattern itself says; nil if it leaves that open.
  public var sparsity: Double? {
    guard case .groups(let nonzero, let size) = self else { return nil }
    return 1 - Double(nonzero) / Double(size)
  }

  /// What the option `pattern` of a stage means.
  package static let summary =
    "Where zeros may lie: anywhere; so that at most `N` of every `M` neighbours in a row are not "
    + "zero; or in whole blocks of rows and columns."

  /// Why the pattern cannot have a fraction of zeros; nil if it can.
  package func objection(to sparsity: Double?) -> String? {
    guard let sparsity, let implied = self.sparsity, abs(sparsity - implied) > 1e-9 else {
      return nil
    }
    return "\(recipeText) means a sparsity of \(implied); leave `sparsity` out"
  }

  /// The pattern as a promise has it; nil if it is none over columns.
  package var zeroPattern: ModelPromise.ZeroPattern? {
    guard case .groups(let nonzero, let size) = self else { return nil }
    return ModelPromise.ZeroPattern(zeros: size - nonzero, groupSize: size)
  }

  /// Why matrices cannot have the pattern; nil if they can.
  package func objection(to parts: [ModelPromise.Part]) -> String? {
    func isMisfit(_ part: ModelPromise.Part) -> Bool {
      switch self {
      case .unstructured: false
      case .groups(_, let size): part.shape.columns % size != 0
      case .blocks(let rows, let columns):
        part.shape.rows % rows != 0 || part.shape.columns % columns != 0
      }
    }
    let misfits = parts.filter(isMisfit)
    guard let first = misfits.first else { return nil }
    let others = misfits.count > 1 ? " and \(misfits.count - 1) more" : ""
    return "\(recipeText) does not divide `\(first.name)`, which is \(first.shape)\(others)"
  }
}
