/// A number of bytes, written as `90MiB`, `1.5GB` or `4096`.
public struct ByteSize: RecipeText, Hashable, Comparable {
  /// The number of bytes.
  public var byteCount: Int

  /// Creates a size.
  public init(_ byteCount: Int) { self.byteCount = byteCount }

  /// “a size such as `90MiB`”.
  public static var typeName: String { "a size such as `90MiB`" }

  // The largest unit comes first, so that printing takes the largest that divides.
  private static let units: [(name: String, factor: Int)] = [
    ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000),
    ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1_000), ("KB", 1_000), ("B", 1),
  ]

  /// Reads a size: a number from 0, then a unit (`B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`,
  /// `TB`, `TiB`) or nothing.
  public init?(recipeText: String) {
    let digits = recipeText.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = recipeText.dropFirst(digits.count).drop { $0 == " " }
    let factor = unit.isEmpty ? 1 : Self.units.first { $0.name == unit }?.factor
    guard let factor else { return nil }
    if let whole = Int(digits) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
      guard !overflow else { return nil }
      byteCount = product
    } else {
      guard let number = Double(digits), number * Double(factor) < 0x1p62 else { return nil }
      byteCount = Int((number * Double(factor)).rounded())
    }
  }

  /// The size in the largest unit that divides it.
  public var recipeText: String {
    guard byteCount > 0 else { return "0" }
    for unit in Self.units where byteCount.isMultiple(of: unit.factor) && unit.factor > 1 {
      return "\(byteCount / unit.factor)\(unit.name)"
    }
    return "\(byteCount)"
  }

  /// Whether one size is smaller.
  public static func < (left: ByteSize, right: ByteSize) -> Bool {
    left.byteCount < right.byteCount
  }
}

extension ByteSize: CustomStringConvertible {
  /// The size rounded for people, in decimal units: `91.7 MB`.
  public var description: String {
    let value = Double(byteCount)
    return switch abs(value) {
    case 1e12...: "\(Wording.number(value / 1e12, digits: 4)) TB"
    case 1e9...: "\(Wording.number(value / 1e9, digits: 4)) GB"
    case 1e6...: "\(Wording.number(value / 1e6, digits: 4)) MB"
    case 1e3...: "\(Wording.number(value / 1e3, digits: 4)) kB"
    default: "\(byteCount) B"
    }
  }
}
