/// Expressions, from the loosest binding to the tightest, as Jinja's grammar orders them.
extension TemplateParser {
  /// Parses one expression, or a tuple without parentheses.
  mutating func parseTuple(
    allowsConditional: Bool = true,
    isParenthesized: Bool = false
  ) throws(TokenizerError) -> TemplateExpression {
    let start = place
    var elements: [TemplateExpression] = []
    var isTuple = false
    while true {
      if !elements.isEmpty {
        guard skip(.symbol(",")) else { break }
        isTuple = true
      }
      if isTupleEnd { break }
      elements.append(allowsConditional ? try parseExpression() : try parseOr())
    }
    if !isTuple {
      if let first = elements.first { return first }
      guard isParenthesized else { throw failure("expected an expression") }
    }
    return try make(.tuple(elements), at: start)
  }

  private var isTupleEnd: Bool {
    switch current.kind {
    case .statementEnd, .outputEnd, .symbol(")"): true
    default: false
    }
  }

  /// Makes a node whose tree is not so deep that evaluating it could exhaust the stack.
  private func make(
    _ kind: TemplateExpression.Kind,
    at place: TemplatePlace
  ) throws(TokenizerError) -> TemplateExpression {
    let expression = TemplateExpression(kind, at: place)
    guard expression.depth <= Self.depthLimit else {
      throw failure("the expression is deeper than \(Self.depthLimit)", at: place)
    }
    return expression
  }

  mutating func parseExpression() throws(TokenizerError) -> TemplateExpression {
    try nested { parser throws(TokenizerError) in
      let start = parser.place
      var value = try parser.parseOr()
      while parser.skip(.name("if")) {
        let condition = try parser.parseOr()
        let otherwise = parser.skip(.name("else")) ? try parser.parseExpression() : nil
        value = try parser.make(.conditional(condition, then: value, else: otherwise), at: start)
      }
      return value
    }
  }

  private mutating func parseOr() throws(TokenizerError) -> TemplateExpression {
    var left = try parseAnd()
    while skip(.name("or")) { left = try make(.or(left, try parseAnd()), at: left.place) }
    return left
  }

  private mutating func parseAnd() throws(TokenizerError) -> TemplateExpression {
    var left = try parseNot()
    while skip(.name("and")) { left = try make(.and(left, try parseNot()), at: left.place) }
    return left
  }

  private mutating func parseNot() throws(TokenizerError) -> TemplateExpression {
    let start = place
    guard skip(.name("not")) else { return try parseComparison() }
    return try nested { parser throws(TokenizerError) in
      try parser.make(.not(try parser.parseNot()), at: start)
    }
  }

  private mutating func parseComparison() throws(TokenizerError) -> TemplateExpression {
    let left = try parseSum()
    var rest: [(operation: String, right: TemplateExpression)] = []
    while true {
      if case .symbol(let symbol) = current.kind,
        ["==", "!=", "<", "<=", ">", ">="].contains(symbol)
      {
        position += 1
        rest.append((symbol, try parseSum()))
      } else if skip(.name("in")) {
        rest.append(("in", try parseSum()))
      } else if current.kind == .name("not"), following.kind == .name("in") {
        position += 2
        rest.append(("not in", try parseSum()))
      } else {
        return rest.isEmpty ? left : try make(.comparison(left, rest), at: left.place)
      }
    }
  }

  private mutating func parseSum() throws(TokenizerError) -> TemplateExpression {
    var left = try parseConcatenation()
    while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-" {
      let start = place
      position += 1
      left = try make(.arithmetic(left, symbol, try parseConcatenation()), at: start)
    }
    return left
  }

  private mutating func parseConcatenation() throws(TokenizerError) -> TemplateExpression {
    var parts = [try parseProduct()]
    while skip(.symbol("~")) { parts.append(try parseProduct()) }
    return parts.count == 1 ? parts[0] : try make(.concatenation(parts), at: parts[0].place)
  }

  private mutating func parseProduct() throws(TokenizerError) -> TemplateExpression {
    var left = try parsePower()
    while case .symbol(let symbol) = current.kind, ["*", "/", "//", "%"].contains(symbol) {
      let start = place
      position += 1
      left = try make(.arithmetic(left, symbol, try parsePower()), at: start)
    }
    return left
  }

  private mutating func parsePower() throws(TokenizerError) -> TemplateExpression {
    var left = try parseUnary()
    while current.kind == .symbol("**") {
      let start = place
      position += 1
      left = try make(.arithmetic(left, "**", try parseUnary()), at: start)
    }
    return left
  }

  private mutating func parseUnary(
    withFilters: Bool = true
  ) throws(TokenizerError) -> TemplateExpression {
    let start = place
    var value: TemplateExpression
    if skip(.symbol("-")) {
      value = try nested { parser throws(TokenizerError) in
        try parser.make(.negate(try parser.parseUnary(withFilters: false)), at: start)
      }
    } else if skip(.symbol("+")) {
      value = try nested { parser throws(TokenizerError) in
        try parser.make(.plus(try parser.parseUnary(withFilters: false)), at: start)
      }
    } else {
      value = try parsePrimary()
    }
    value = try parsePostfix(value)
    return withFilters ? try parseFilters(value) : value
  }

  private mutating func parsePrimary() throws(TokenizerError) -> TemplateExpression {
    let start = place
    let token = current.kind
    switch token {
    case .name(let name):
      position += 1
      switch name {
      case "true", "True": return try make(.literal(true), at: start)
      case "false", "False": return try make(.literal(false), at: start)
      case "none", "None": return try make(.literal(.none), at: start)
      default: return try make(.name(name), at: start)
      }
    case .string(var text):
      position += 1
      while case .string(let more) = current.kind {
        text += more
        position += 1
      }
      return try make(.literal(.string(text)), at: start)
    case .integer(let value):
      position += 1
      return try make(.literal(.integer(value)), at: start)
    case .number(let value):
      position += 1
      return try make(.literal(.number(value)), at: start)
    case .symbol("("):
      position += 1
      let value = try parseTuple(isParenthesized: true)
      try expect(.symbol(")"), "')'")
      return value
    case .symbol("["):
      position += 1
      var elements: [TemplateExpression] = []
      while current.kind != .symbol("]") {
        if !elements.isEmpty { try expect(.symbol(","), "',' or ']'") }
        if current.kind == .symbol("]") { break }
        elements.append(try parseExpression())
      }
      try expect(.symbol("]"), "']'")
      return try make(.list(elements), at: start)
    case .symbol("{"):
      position += 1
      var entries: [(key: TemplateExpression, value: TemplateExpression)] = []
      while current.kind != .symbol("}") {
        if !entries.isEmpty { try expect(.symbol(","), "',' or '}'") }
        if current.kind == .symbol("}") { break }
        let key = try parseExpression()
        try expect(.symbol(":"), "':'")
        entries.append((key, try parseExpression()))
      }
      try expect(.symbol("}"), "'}'")
      return try make(.dictionary(entries), at: start)
    default: throw failure("expected an expression")
    }
  }

  private mutating func parsePostfix(
    _ base: TemplateExpression
  ) throws(TokenizerError) -> TemplateExpression {
    var base = base
    while true {
      let start = place
      switch current.kind {
      case .symbol("."):
        position += 1
        if case .integer(let index) = current.kind {
          let key = try make(.literal(.integer(index)), at: place)
          position += 1
          base = try make(.item(base, key), at: start)
        } else {
          base = try make(.attribute(base, try expectName()), at: start)
        }
      case .symbol("["):
        position += 1
        base = try parseSubscript(base, at: start)
      case .symbol("("):
        base = try make(.call(base, try parseArguments()), at: start)
      default: return base
      }
    }
  }

  private mutating func parseSubscript(
    _ base: TemplateExpression,
    at start: TemplatePlace
  ) throws(TokenizerError) -> TemplateExpression {
    var bounds: [TemplateExpression?] = []
    var isSlice = false
    while true {
      let isAbsent = current.kind == .symbol(":") || current.kind == .symbol("]")
      bounds.append(isAbsent ? nil : try parseExpression())
      guard skip(.symbol(":")) else { break }
      isSlice = true
    }
    if current.kind == .symbol(",") { throw unsupported("a subscript with a comma", at: place) }
    try expect(.symbol("]"), "']'")
    guard isSlice else {
      guard let key = bounds[0] else { throw failure("expected a subscript", at: start) }
      return try make(.item(base, key), at: start)
    }
    guard bounds.count <= 3 else { throw failure("a slice has at most three parts", at: start) }
    while bounds.count < 3 { bounds.append(nil) }
    return try make(.slice(base, bounds), at: start)
  }

  private mutating func parseArguments() throws(TokenizerError) -> TemplateArguments {
    try expect(.symbol("("), "'('")
    var arguments = TemplateArguments()
    var isFirst = true
    while current.kind != .symbol(")") {
      if !isFirst { try expect(.symbol(","), "',' or ')'") }
      isFirst = false
      if current.kind == .symbol(")") { break }
      if case .symbol(let symbol) = current.kind, symbol == "*" || symbol == "**" {
        throw unsupported("the argument '\(symbol)'", at: place)
      }
      if case .name(let name) = current.kind, following.kind == .symbol("=") {
        position += 2
        guard !arguments.named.contains(where: { $0.name == name }) else {
          throw failure("the argument '\(name)' occurs twice")
        }
        arguments.named.append((name, try parseExpression()))
      } else {
        guard arguments.named.isEmpty else {
          throw failure("an argument without a name follows one with a name")
        }
        arguments.positional.append(try parseExpression())
      }
    }
    try expect(.symbol(")"), "')'")
    return arguments
  }

  /// Parses filters, tests and calls after a value; nil stands for what a block prints.
  mutating func parseFilters(
    _ value: TemplateExpression?,
    startsWithName: Bool = false
  ) throws(TokenizerError) -> TemplateExpression {
    var value = value
    var needsName = startsWithName
    while true {
      let start = place
      if needsName || skip(.symbol("|")) {
        needsName = false
        let name = try dottedName()
        let arguments = current.kind == .symbol("(") ? try parseArguments() : .init()
        value = try make(.filter(value, name, arguments), at: start)
      } else if let tested = value, skip(.name("is")) {
        value = try parseTest(tested, at: start)
      } else if let called = value, current.kind == .symbol("("), !startsWithName {
        value = try make(.call(called, try parseArguments()), at: start)
      } else if let value {
        return value
      } else {
        throw failure("expected a filter")
      }
    }
  }

  private mutating func parseTest(
    _ tested: TemplateExpression,
    at start: TemplatePlace
  ) throws(TokenizerError) -> TemplateExpression {
    let isNegated = skip(.name("not"))
    let name = try dottedName()
    var arguments = TemplateArguments()
    switch current.kind {
    case .symbol("("): arguments = try parseArguments()
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw failure("two tests follow each other; use parentheses")
    case .name("if"):
      // Jinja would take a name as the test's argument, which is never meant here: an inline
      // `if` follows a test such as `is defined`.
      throw failure("put the test before 'if' in parentheses")
    case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
      arguments.positional = [try parsePostfix(try parsePrimary())]
    default: break
    }
    let test = try make(.test(tested, name, arguments), at: start)
    return isNegated ? try make(.not(test), at: start) : test
  }

  private mutating func dottedName() throws(TokenizerError) -> String {
    var name = try expectName()
    while skip(.symbol(".")) { name += "." + (try expectName()) }
    return name
  }
}
