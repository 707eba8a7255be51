/// A regular expression over the names of modules, such as `.*self_attn\.(q|k|v)_proj$`.
///
/// Of Python's expressions it knows characters, escaped punctuation, `.`, `\d`, `\w`, classes such
/// as `[0-9a-f]`, alternatives, groups that do not nest, the quantifiers `?`, `*` and `+`, and the
/// anchors `^` and `$`. It finds itself at the start of a name, as Python's `re.match` does.
///
/// Source: Thompson, *Regular Expression Search Algorithm*, 1968. All ways through the expression
/// are followed at once, so that no expression takes long.
struct ModulePattern {
  private enum Step {
    /// One character, in one of these ranges or in none of them.
    case character([ClosedRange<Unicode.Scalar>], inverted: Bool)
    /// Nothing; goes on with the next step and also this many steps away.
    case fork(Int)
    /// Nothing; goes on this many steps away.
    case jump(Int)
    /// The start or the end of the name.
    case start, end
  }

  private let steps: [Step]

  /// Reads an expression; nil if it has other parts, or more than 4096 characters.
  init?(_ text: String) {
    var parser = Parser(rest: text.unicodeScalars[...])
    guard text.unicodeScalars.count <= 4096, let steps = parser.alternatives(inGroup: false),
      parser.rest.isEmpty
    else { return nil }
    self.steps = steps
  }

  /// Whether the start of a name, or all of it, is what the expression describes.
  ///
  /// - Complexity: O(length of the name · length of the expression).
  func matches(_ name: String) -> Bool {
    let characters = Array(name.unicodeScalars)
    var current = [0]
    for position in 0...characters.count {
      let reached = reachable(
        from: current,
        isStart: position == 0,
        isEnd: position == characters.count
      )
      if reached[steps.count] { return true }
      guard position < characters.count else { break }
      current = steps.indices.filter { index in
        guard reached[index], case .character(let ranges, let inverted) = steps[index] else {
          return false
        }
        return ranges.contains { $0.contains(characters[position]) } != inverted
      }.map { $0 + 1 }
    }
    return false
  }

  /// Which steps can be come to from others without a character; the last stands for the end.
  private func reachable(from first: [Int], isStart: Bool, isEnd: Bool) -> [Bool] {
    var reached = [Bool](repeating: false, count: steps.count + 1)
    var open = first
    while let index = open.popLast() {
      guard !reached[index] else { continue }
      reached[index] = true
      guard index < steps.count else { continue }
      switch steps[index] {
      case .character: break
      case .fork(let distance): open += [index + 1, index + distance]
      case .jump(let distance): open.append(index + distance)
      case .start: if isStart { open.append(index + 1) }
      case .end: if isEnd { open.append(index + 1) }
      }
    }
    return reached
  }
}

// MARK: - Reading

extension ModulePattern {
  private static let digits: [ClosedRange<Unicode.Scalar>] = ["0"..."9"]
  private static let wordCharacters: [ClosedRange<Unicode.Scalar>] = [
    "0"..."9", "A"..."Z", "a"..."z", "_"..."_",
  ]

  /// Reads from the front of `rest`; every part is nil if it is not one of those known.
  private struct Parser {
    var rest: Substring.UnicodeScalarView

    mutating func alternatives(inGroup: Bool) -> [Step]? {
      var branches: [[Step]] = []
      repeat {
        guard let branch = sequence(inGroup: inGroup) else { return nil }
        branches.append(branch)
      } while take("|")
      var steps = branches.removeLast()
      for branch in branches.reversed() {
        steps = [.fork(branch.count + 2)] + branch + [.jump(steps.count + 1)] + steps
      }
      return steps
    }

    private mutating func sequence(inGroup: Bool) -> [Step]? {
      var steps: [Step] = []
      while let next = rest.first, next != "|", next != ")" {
        if take("^") {
          steps.append(.start)
        } else if take("$") {
          steps.append(.end)
        } else {
          guard let part = part(inGroup: inGroup), let repeated = quantified(part) else {
            return nil
          }
          steps += repeated
        }
      }
      return steps
    }

    private mutating func quantified(_ part: [Step]) -> [Step]? {
      let steps: [Step]
      if take("*") {
        steps = [.fork(part.count + 2)] + part + [.jump(-part.count - 1)]
      } else if take("+") {
        steps = part + [.fork(-part.count)]
      } else if take("?") {
        steps = [.fork(part.count + 1)] + part
      } else {
        return part
      }
      // A second question mark asks for the shortest match; whether there is one stays the same.
      _ = take("?")
      return rest.first.map { "*+?".unicodeScalars.contains($0) } == true ? nil : steps
    }

    private mutating func part(inGroup: Bool) -> [Step]? {
      guard let character = rest.popFirst() else { return nil }
      switch character {
      case "(":
        guard !inGroup, !take("?") || take(":") else { return nil }
        guard let steps = alternatives(inGroup: true), take(")") else { return nil }
        return steps
      case "[": return characterClass()
      case ".": return [.character(["\n"..."\n"], inverted: true)]
      case "\\": return escaped().map { [.character($0, inverted: false)] }
      case "*", "+", "?", "{", "}", "]": return nil
      default: return [.character([character...character], inverted: false)]
      }
    }

    private mutating func characterClass() -> [Step]? {
      let inverted = take("^")
      var ranges: [ClosedRange<Unicode.Scalar>] = []
      while let character = rest.popFirst(), character != "]" || ranges.isEmpty {
        if character == "\\" {
          guard let escaped = escaped() else { return nil }
          ranges += escaped
        } else if rest.first == "-", let last = rest.dropFirst().first, last != "]" {
          guard last != "\\", character <= last else { return nil }
          ranges.append(character...last)
          rest = rest.dropFirst(2)
        } else {
          ranges.append(character...character)
        }
        guard !rest.isEmpty else { return nil }
      }
      return ranges.isEmpty ? nil : [.character(ranges, inverted: inverted)]
    }

    private mutating func escaped() -> [ClosedRange<Unicode.Scalar>]? {
      guard let character = rest.popFirst() else { return nil }
      switch character {
      case "d": return digits
      case "w": return wordCharacters
      default:
        let isWord = wordCharacters.contains { $0.contains(character) }
        return isWord ? nil : [character...character]
      }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == character else { return false }
      rest = rest.dropFirst()
      return true
    }
  }
}
