/// A value given on the command line in place of the recipe's, such as `stages.0.bits=8`.
public struct RecipeOverride: Sendable {
  let path: [String]
  let value: RecipeNode
  let source: RecipeSource

  /// Reads an override.
  ///
  /// - Parameter text: A path of keys and indices joined by dots, `=`, and a value as YAML on one
  ///   line. A stage can be named by its index or, if no other is of its kind, by its kind:
  ///   `stages.quantize.rtn.bits=8`.
  /// - Throws: ``RecipeProblems`` if it is not of this form.
  public init(_ text: String) throws(RecipeProblems) {
    let source = RecipeSource(name: "--set", text: text)
    self.source = source
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
      throw RecipeProblems([
        RecipeProblem(
          "`\(Wording.excerpt(text))` is not of the form `key=value`, such as `stages.0.bits=8`",
          at: source.start
        )
      ])
    }
    path = text[..<sign].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let yaml = String(text[text.index(after: sign)...])
    if yaml.allSatisfy(\.isWhitespace) {
      value = RecipeNode(.scalar("", isQuoted: false), at: source.start)
    } else {
      // Spaces in place of the path keep the columns of the value's problems right.
      let padding = String(
        repeating: " ",
        count: text.unicodeScalars.count - yaml.unicodeScalars.count
      )
      let parsed: RecipeNode
      do {
        parsed = try RecipeParser.parse(padding + yaml, name: "--set")
      } catch {
        throw RecipeProblems(error.problems.map { $0.moved(to: source) })
      }
      value = parsed.moved(to: source)
    }
  }

  /// Puts the value in its place.
  ///
  /// - Throws: ``RecipeProblems`` if the path leads through something that is not there.
  func apply(to node: inout RecipeNode) throws(RecipeProblems) {
    if let problem = set(&node, path[...]) {
      throw RecipeProblems([RecipeProblem(problem, at: source.start)])
    }
  }

  private func set(_ node: inout RecipeNode, _ rest: ArraySlice<String>) -> String? {
    guard let key = rest.first else {
      node = value
      return nil
    }
    switch node.content {
    case .list(var items):
      guard let (index, used) = item(rest, items) else {
        return "there is no `\(shown(before: rest)).\(key)`; "
          + (items.isEmpty ? "the list is empty" : "indices are 0 to \(items.count - 1)")
      }
      let problem: String?
      if isStageList(rest) {
        problem = setStage(&items[index], rest.dropFirst(used))
      } else {
        problem = set(&items[index], rest.dropFirst(used))
      }
      node.content = .list(items)
      return problem
    case .map(var entries):
      if let index = entries.firstIndex(where: { $0.key == key }) {
        let problem = set(&entries[index].value, rest.dropFirst())
        node.content = .map(entries)
        return problem
      }
      guard let new = created(rest.dropFirst()) else {
        return "there is no `\(shown(before: rest)).\(key)`"
      }
      entries.append(RecipeNode.Entry(key, new, at: source.start))
      node.content = .map(entries)
      return nil
    case .scalar where node.isNothing || rest.count < path.count:
      guard let new = created(rest) else { return "there is no `\(path.joined(separator: "."))`" }
      node = new
      return nil
    case .scalar:
      return "`\(shown(before: rest))` has no keys"
    }
  }

  // A stage is a group of one key, its kind, or the kind alone; a path goes through to its options.
  private func setStage(_ item: inout RecipeNode, _ rest: ArraySlice<String>) -> String? {
    guard !rest.isEmpty else {
      item = value
      return nil
    }
    if let kind = item.scalar {
      item = RecipeNode(
        .map([RecipeNode.Entry(kind, .plain(""), at: item.position)]),
        at: item.position
      )
    }
    guard case .map(var entries) = item.content, entries.count == 1 else {
      return "`\(shown(before: rest))` is not a stage"
    }
    let problem = set(&entries[0].value, rest)
    item.content = .map(entries)
    return problem
  }

  private func isStageList(_ rest: ArraySlice<String>) -> Bool {
    rest.startIndex == 1 && path.first == "stages"
  }

  // The index that a path names, and how many of its keys that takes.
  private func item(
    _ rest: ArraySlice<String>,
    _ items: [RecipeNode]
  ) -> (index: Int, used: Int)? {
    guard let key = rest.first else { return nil }
    if let index = Int(key) { return items.indices.contains(index) ? (index, 1) : nil }
    guard isStageList(rest) else { return nil }
    // Kinds have two words, such as `export.gguf`, or one, such as `train`.
    for count in [2, 1] where rest.count >= count {
      let kind = rest.prefix(count).joined(separator: ".")
      let found = items.indices.filter { index in
        if case .map(let entries) = items[index].content { return entries.first?.key == kind }
        return items[index].scalar == kind
      }
      if found.count == 1 { return (found[0], count) }
    }
    return nil
  }

  // Groups for the keys of a path that lead to nothing yet, around the value.
  private func created(_ rest: ArraySlice<String>) -> RecipeNode? {
    guard rest.allSatisfy({ Int($0) == nil && !$0.isEmpty }) else { return nil }
    return rest.reversed().reduce(value) { inner, key in
      RecipeNode(.map([RecipeNode.Entry(key, inner, at: source.start)]), at: source.start)
    }
  }

  private func shown(before rest: ArraySlice<String>) -> String {
    path[..<rest.startIndex].joined(separator: ".")
  }
}

extension RecipeProblem {
  fileprivate func moved(to source: RecipeSource) -> RecipeProblem {
    RecipeProblem(message, at: position.map { $0.moved(to: source) })
  }
}

extension SourcePosition {
  fileprivate func moved(to source: RecipeSource) -> SourcePosition {
    SourcePosition(source: source, line: line, column: column)
  }
}

extension RecipeNode {
  fileprivate func moved(to source: RecipeSource) -> RecipeNode {
    let content: Content =
      switch content {
      case .scalar: self.content
      case .list(let items): .list(items.map { $0.moved(to: source) })
      case .map(let entries):
        .map(
          entries.map {
            Entry($0.key, $0.value.moved(to: source), at: $0.position?.moved(to: source))
          }
        )
      }
    return RecipeNode(content, at: position?.moved(to: source))
  }
}
