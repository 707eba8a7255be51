/// Parses the statements of a template.
struct TemplateParser {
  /// Statements and expressions may be nested so deep.
  static let nestingLimit = 100
  /// A chain of operators or filters may be so long.
  static let depthLimit = 200

  let tokens: [TemplateToken]
  let name: String
  var position = 0
  var nesting = 0
  private var loops = 0
  private var captures = 0
  private(set) var hasGeneration = false
  /// Where the statements start that are not closed yet.
  private var openings: [TemplatePlace] = []

  init(_ source: String, name: String) throws(TokenizerError) {
    var lexer = try TemplateLexer(source, name: name)
    tokens = try lexer.tokenize()
    self.name = name
  }

  mutating func parse() throws(TokenizerError) -> [TemplateStatement] {
    try parseBody(until: []).body
  }

  // MARK: Tokens

  var current: TemplateToken { tokens[min(position, tokens.count - 1)] }
  var following: TemplateToken { tokens[min(position + 1, tokens.count - 1)] }
  var place: TemplatePlace { current.place }

  mutating func skip(_ kind: TemplateToken.Kind) -> Bool {
    guard current.kind == kind else { return false }
    position += 1
    return true
  }

  mutating func expect(_ kind: TemplateToken.Kind, _ what: String) throws(TokenizerError) {
    guard skip(kind) else { throw failure("expected \(what) instead of \(describe(current))") }
  }

  mutating func expectName() throws(TokenizerError) -> String {
    guard case .name(let name) = current.kind else {
      throw failure("expected a name instead of \(describe(current))")
    }
    position += 1
    return name
  }

  func failure(_ problem: String, at place: TemplatePlace? = nil) -> TokenizerError {
    .template(.malformedTemplate, name, place ?? self.place, problem)
  }

  func unsupported(_ what: String, at place: TemplatePlace) -> TokenizerError {
    .template(
      .unsupported,
      name,
      place,
      "\(what) is not supported",
      remedy: "write the template without it"
    )
  }

  private func describe(_ token: TemplateToken) -> String {
    switch token.kind {
    case .text: "text"
    case .statementStart: "'{%'"
    case .statementEnd: "'%}'"
    case .outputStart: "'{{'"
    case .outputEnd: "'}}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer, .number: "a number"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }

  mutating func nested<Result>(
    _ body: (inout Self) throws(TokenizerError) -> Result
  ) throws(TokenizerError) -> Result {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= Self.nestingLimit else {
      throw failure("the template is nested deeper than \(Self.nestingLimit)")
    }
    return try body(&self)
  }

  // MARK: Statements

  /// Parses up to a statement that starts with one of `ends`, whose name is skipped.
  private mutating func parseBody(
    until ends: [String]
  ) throws(TokenizerError) -> (body: [TemplateStatement], end: String) {
    try nested { parser throws(TokenizerError) in
      var body: [TemplateStatement] = []
      while true {
        let place = parser.place
        switch parser.current.kind {
        case .text(let text):
          parser.position += 1
          body.append(.init(kind: .text(text), place: place))
        case .outputStart:
          parser.position += 1
          let value = try parser.parseTuple()
          try parser.expect(.outputEnd, "'}}'")
          body.append(.init(kind: .output(value), place: place))
        case .statementStart:
          parser.position += 1
          let word = try parser.expectName()
          if ends.contains(word) { return (body, word) }
          body.append(.init(kind: try parser.parseStatement(word, at: place), place: place))
        default:
          if ends.isEmpty && parser.current.kind == .end { return (body, "") }
          throw parser.failure("'\(ends.last ?? "")' is missing", at: parser.openings.last)
        }
      }
    }
  }

  /// Parses a body that ends with the statement `end` and nothing else.
  private mutating func parseBlock(
    _ end: String
  ) throws(TokenizerError) -> [TemplateStatement] {
    try endTag()
    let body = try parseBody(until: [end]).body
    try endTag()
    return body
  }

  private mutating func endTag() throws(TokenizerError) { try expect(.statementEnd, "'%}'") }

  private mutating func parseStatement(
    _ word: String,
    at place: TemplatePlace
  ) throws(TokenizerError) -> TemplateStatement.Kind {
    openings.append(place)
    defer { openings.removeLast() }
    switch word {
    case "if": return try parseChoice()
    case "for": return try parseLoop()
    case "set": return try parseSet()
    case "macro": return try parseMacro()
    case "with":
      var assignments: [([TemplateStatement.Target], TemplateExpression)] = []
      while current.kind != .statementEnd {
        if !assignments.isEmpty { try expect(.symbol(","), "','") }
        let targets = try parseTargets(allowsAttributes: false)
        try expect(.symbol("="), "'='")
        assignments.append((targets, try parseExpression()))
      }
      return .with(assignments, try parseBlock("endwith"))
    case "filter":
      let filter = try parseFilters(nil, startsWithName: true)
      captures += 1
      defer { captures -= 1 }
      return .filterBlock(filter, try parseBlock("endfilter"))
    case "generation":
      guard captures == 0 else {
        throw unsupported("'generation' inside a block that keeps its output", at: place)
      }
      hasGeneration = true
      let outer = loops
      loops = 0
      captures += 1
      defer {
        loops = outer
        captures -= 1
      }
      return .generation(try parseBlock("endgeneration"))
    case "break", "continue":
      guard loops > 0 else { throw failure("'\(word)' is outside of a loop", at: place) }
      try endTag()
      return word == "break" ? .breakLoop : .continueLoop
    case "block", "extends", "include", "import", "from", "call", "do", "autoescape", "trans",
      "debug":
      throw unsupported("the statement '\(word)'", at: place)
    default:
      throw failure("the statement '\(word)' is unknown or out of place", at: place)
    }
  }

  private mutating func parseChoice() throws(TokenizerError) -> TemplateStatement.Kind {
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    while true {
      let condition = try parseTuple(allowsConditional: false)
      try endTag()
      let (body, end) = try parseBody(until: ["elif", "else", "endif"])
      branches.append((condition, body))
      if end == "elif" { continue }
      if end == "else" { return .choice(branches, try parseBlock("endif")) }
      try endTag()
      return .choice(branches, [])
    }
  }

  private mutating func parseLoop() throws(TokenizerError) -> TemplateStatement.Kind {
    let targets = try parseTargets(allowsAttributes: false)
    guard skip(.name("in")) else { throw failure("expected 'in'") }
    let iterated = try parseTuple(allowsConditional: false)
    let condition = skip(.name("if")) ? try parseExpression() : nil
    if current.kind == .name("recursive") { throw unsupported("a recursive loop", at: place) }
    try endTag()
    loops += 1
    let (body, end) = try parseBody(until: ["else", "endfor"])
    loops -= 1
    var otherwise: [TemplateStatement] = []
    if end == "else" { otherwise = try parseBlock("endfor") } else { try endTag() }
    return .loop(
      .init(
        targets: targets,
        iterated: iterated,
        condition: condition,
        body: body,
        otherwise: otherwise
      )
    )
  }

  private mutating func parseSet() throws(TokenizerError) -> TemplateStatement.Kind {
    let targets = try parseTargets(allowsAttributes: true)
    if skip(.symbol("=")) {
      let value = try parseTuple()
      try endTag()
      return .set(targets, value)
    }
    guard targets.count == 1 else { throw failure("expected '='") }
    let filters = current.kind == .symbol("|") ? try parseFilters(nil) : nil
    captures += 1
    defer { captures -= 1 }
    return .setBlock(targets[0], filters, try parseBlock("endset"))
  }

  private mutating func parseMacro() throws(TokenizerError) -> TemplateStatement.Kind {
    let name = try expectName()
    try expect(.symbol("("), "'('")
    var parameters: [(name: String, value: TemplateExpression?)] = []
    while current.kind != .symbol(")") {
      if !parameters.isEmpty { try expect(.symbol(","), "','") }
      let parameter = try expectName()
      let value = skip(.symbol("=")) ? try parseExpression() : nil
      if value == nil, parameters.last?.value != nil {
        throw failure("a parameter without a default follows one with a default")
      }
      parameters.append((parameter, value))
    }
    try expect(.symbol(")"), "')'")
    let outer = loops
    loops = 0
    captures += 1
    defer {
      loops = outer
      captures -= 1
    }
    return .macro(.init(name: name, parameters: parameters, body: try parseBlock("endmacro")))
  }

  /// Parses names to assign to, one or a tuple.
  private mutating func parseTargets(
    allowsAttributes: Bool
  ) throws(TokenizerError) -> [TemplateStatement.Target] {
    let isParenthesized = skip(.symbol("("))
    var targets: [TemplateStatement.Target] = []
    repeat {
      let place = place
      let name = try expectName()
      guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
        throw failure("'\(name)' cannot be assigned to", at: place)
      }
      var attribute: String?
      if allowsAttributes, skip(.symbol(".")) { attribute = try expectName() }
      targets.append(.init(name: name, attribute: attribute, place: place))
      // A trailing comma would make a tuple of one.
      if current.kind == .symbol(","),
        following.kind == .name("in") || following.kind == .symbol("=")
      {
        throw unsupported("a tuple of one name", at: place)
      }
    } while skip(.symbol(","))
    if isParenthesized { try expect(.symbol(")"), "')'") }
    return targets
  }
}
