/// Rows of text in columns as wide as their widest cell.
struct TextTable {
  private var rows: [[String]] = []
  private let rightAligned: Set<Int>

  /// Begins a table; columns listed are aligned to the right.
  init(rightAligned: Set<Int> = []) { self.rightAligned = rightAligned }

  /// Adds a row.
  mutating func add(_ cells: String...) { rows.append(cells) }

  /// The rows, two spaces between columns and none at the end of a line.
  var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { line += "  " }
        line += rightAligned.contains(column) ? padding + cell : cell + padding
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
