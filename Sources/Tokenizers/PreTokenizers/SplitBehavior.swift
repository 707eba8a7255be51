/// What becomes of the matches a text is split at.
enum SplitBehavior: String, Sendable {
  /// Matches are dropped.
  case removed = "Removed"
  /// Each match is a piece of its own.
  case isolated = "Isolated"
  /// A match joins the piece before it.
  case mergedWithPrevious = "MergedWithPrevious"
  /// A match joins the piece after it.
  case mergedWithNext = "MergedWithNext"
  /// Neighbouring matches form one piece.
  case contiguous = "Contiguous"

  init(_ json: JSONValue) throws(TokenizerError) {
    guard let behavior = SplitBehavior(rawValue: try json.string()) else {
      throw json.failure(
        .unsupported,
        "the behavior '\(try json.string())' is not supported",
        remedy: "use Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"
      )
    }
    self = behavior
  }

  /// Calls `body` with the start and end of each resulting piece, in order.
  func join(_ parts: [PieceList.Part], _ body: (Int, Int) -> Void) {
    switch self {
    case .isolated: for part in parts { body(part.start, part.end) }
    case .removed: for part in parts where !part.isMatch { body(part.start, part.end) }
    case .contiguous:
      // Parts that follow each other and are of one kind become one piece.
      joinRuns(parts, body) { part, previous in part.isMatch == previous.isMatch }
    case .mergedWithPrevious:
      joinRuns(parts, body) { part, previous in part.isMatch && !previous.isMatch }
    case .mergedWithNext:
      joinBackwards(parts, body)
    }
  }

  private func joinRuns(
    _ parts: [PieceList.Part],
    _ body: (Int, Int) -> Void,
    continues: (PieceList.Part, PieceList.Part) -> Bool
  ) {
    guard var previous = parts.first else { return }
    var start = previous.start
    for part in parts.dropFirst() {
      if !continues(part, previous) {
        body(start, previous.end)
        start = part.start
      }
      previous = part
    }
    body(start, previous.end)
  }

  private func joinBackwards(_ parts: [PieceList.Part], _ body: (Int, Int) -> Void) {
    guard var following = parts.last else { return }
    var pieces: [(Int, Int)] = []
    var end = following.end
    for part in parts.dropLast().reversed() {
      if !(part.isMatch && !following.isMatch) {
        pieces.append((following.start, end))
        end = part.end
      }
      following = part
    }
    pieces.append((following.start, end))
    for (start, end) in pieces.reversed() { body(start, end) }
  }
}
