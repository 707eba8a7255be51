internal import Foundation

/// Carries out the statements of a template, within limits that no honest template reaches.
final class TemplateRenderer {
  /// Statements carried out, values looked at and pieces of 16 bytes made.
  static let stepLimit = 10_000_000
  /// Bytes of the result, or of any text on the way.
  static let textLimit = 1 << 26
  /// Statements, expressions and macros inside each other.
  private static let depthLimit = 400
  /// Lists and dictionaries inside each other.
  private static let valueDepthLimit = 100

  /// How a body ended.
  enum Flow {
    case normal
    case broken
    case continued
  }

  let name: String
  let date: Date
  private let stepLimit: Int
  private(set) var output: [UInt8] = []
  /// The byte ranges of the output that `generation` blocks made.
  private(set) var generations: [Range<Int>] = []
  private var steps = 0
  private var depth = 0
  /// Scopes that hold macros, which hold them in turn.
  private var macroScopes: [TemplateScope] = []

  init(name: String, date: Date, stepLimit: Int = stepLimit) {
    self.name = name
    self.date = date
    self.stepLimit = stepLimit
  }

  func render(
    _ body: [TemplateStatement],
    _ variables: TemplateDictionary
  ) throws(TokenizerError) {
    let start = TemplatePlace(line: 1, column: 1)
    let globals = TemplateScope(nil)
    for function in Self.functions { globals.values[function] = .function(function) }
    let context = TemplateScope(globals)
    for key in variables.keys {
      context.values[key] = try runtimeValue(variables[key] ?? .undefined, key, at: start)
    }
    defer { for scope in macroScopes { scope.values.removeAll() } }
    _ = try execute(body, TemplateScope(context))
  }

  // MARK: Limits

  /// Counts work and throws once there is too much of it.
  func charge(_ amount: Int, at place: TemplatePlace) throws(TokenizerError) {
    steps += amount
    guard steps <= stepLimit else { throw tooLarge("takes too many steps", place) }
  }

  /// Goes one level deeper for `body`.
  func nested<Result>(
    at place: TemplatePlace,
    _ body: () throws(TokenizerError) -> Result
  ) throws(TokenizerError) -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw tooLarge("calls itself too deeply", place) }
    return try body()
  }

  func string(_ text: String, at place: TemplatePlace) throws(TokenizerError) -> RuntimeValue {
    let count = text.utf8.count
    guard count <= Self.textLimit else { throw tooLarge("makes too long a text", place) }
    try charge(count / 16, at: place)
    return .string(text)
  }

  func items(
    _ elements: [RuntimeValue],
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue.Items {
    try charge(elements.count, at: place)
    var deepest = 0
    for element in elements { deepest = max(deepest, try containedDepth(element, at: place)) }
    return .init(elements: elements, depth: deepest + 1)
  }

  func list(
    _ elements: [RuntimeValue],
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    .list(try items(elements, at: place))
  }

  func dictionary(
    _ table: OrderedTable<RuntimeValue>,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    try charge(table.keys.count, at: place)
    var deepest = 0
    for value in table.values { deepest = max(deepest, try containedDepth(value, at: place)) }
    return .dictionary(.init(table: table, depth: deepest + 1))
  }

  /// The depth of a value that is put into a container or a namespace.
  func containedDepth(
    _ value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Int {
    guard let depth = value.depth else {
      throw unsupported("\(value.typeName) inside another value", at: place)
    }
    guard depth < Self.valueDepthLimit else { throw tooLarge("nests values too deeply", place) }
    return depth
  }

  private func tooLarge(_ what: String, _ place: TemplatePlace) -> TokenizerError {
    .template(.tooLarge, name, place, "the template \(what)")
  }

  func failure(_ problem: String, at place: TemplatePlace) -> TokenizerError {
    .template(
      .templateFailure,
      name,
      place,
      problem,
      remedy: "check the messages and variables against what the template expects"
    )
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

  // MARK: Values from outside

  private func runtimeValue(
    _ value: TemplateValue,
    _ name: String,
    at place: TemplatePlace,
    level: Int = 0
  ) throws(TokenizerError) -> RuntimeValue {
    guard level < Self.valueDepthLimit else { throw tooLarge("is given too deep a value", place) }
    switch value {
    case .none: return .none
    case .boolean(let value): return .boolean(value)
    case .integer(let value): return .integer(value)
    case .number(let value): return .number(value)
    case .string(let value): return .string(value)
    case .undefined: return .undefined("'\(name)' is undefined")
    case .list(let elements):
      var converted: [RuntimeValue] = []
      converted.reserveCapacity(elements.count)
      for element in elements {
        converted.append(try runtimeValue(element, name, at: place, level: level + 1))
      }
      return try list(converted, at: place)
    case .dictionary(let entries):
      var table = OrderedTable<RuntimeValue>()
      for (key, value) in zip(entries.table.keys, entries.table.values) {
        table.set(key, try runtimeValue(value, key, at: place, level: level + 1))
      }
      return try dictionary(table, at: place)
    }
  }

  // MARK: Output

  func write(_ text: String, at place: TemplatePlace) throws(TokenizerError) {
    output.append(contentsOf: text.utf8)
    guard output.count <= Self.textLimit else { throw tooLarge("makes too long a text", place) }
    try charge(text.utf8.count / 16, at: place)
  }

  /// What `body` writes.
  func capture(
    _ body: () throws(TokenizerError) -> Void
  ) throws(TokenizerError) -> String {
    let outer = output
    output = []
    defer { output = outer }
    try body()
    return String(decoding: output, as: UTF8.self)
  }

  // MARK: Statements

  func execute(
    _ statements: [TemplateStatement],
    _ scope: TemplateScope
  ) throws(TokenizerError) -> Flow {
    for statement in statements {
      try charge(1, at: statement.place)
      let flow = try nested(at: statement.place) { () throws(TokenizerError) in
        try execute(statement, scope)
      }
      if flow != .normal { return flow }
    }
    return .normal
  }

  private func execute(
    _ statement: TemplateStatement,
    _ scope: TemplateScope
  ) throws(TokenizerError) -> Flow {
    let place = statement.place
    switch statement.kind {
    case .text(let text): try write(text, at: place)
    case .output(let value): try write(text(of: evaluate(value, scope), at: place), at: place)
    case .choice(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition, scope).isTrue {
        return try execute(branch.body, scope)
      }
      return try execute(otherwise, scope)
    case .loop(let loop): return try executeLoop(loop, scope, at: place)
    case .set(let targets, let value):
      try assign(evaluate(value, scope), to: targets, scope, at: place)
    case .setBlock(let target, let filters, let body):
      let text = try capture { () throws(TokenizerError) in
        _ = try execute(body, TemplateScope(scope))
      }
      var value = try string(text, at: place)
      if let filters { value = try evaluate(filters, scope, filtered: value) }
      try assign(value, to: [target], scope, at: place)
    case .macro(let macro):
      scope.values[macro.name] = .macro(.init(macro, scope))
      macroScopes.append(scope)
    case .with(let assignments, let body):
      let inner = TemplateScope(scope)
      for (targets, value) in assignments {
        // The values see the variables from outside only.
        try assign(evaluate(value, scope), to: targets, inner, at: place)
      }
      return try execute(body, inner)
    case .filterBlock(let filters, let body):
      let text = try capture { () throws(TokenizerError) in
        _ = try execute(body, TemplateScope(scope))
      }
      let value = try evaluate(filters, scope, filtered: string(text, at: place))
      try write(self.text(of: value, at: place), at: place)
    case .generation(let body):
      let start = output.count
      _ = try execute(body, TemplateScope(scope))
      if output.count > start { generations.append(start..<output.count) }
    case .breakLoop: return .broken
    case .continueLoop: return .continued
    }
    return .normal
  }

  private func executeLoop(
    _ loop: TemplateStatement.Loop,
    _ scope: TemplateScope,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Flow {
    var elements = try elements(of: evaluate(loop.iterated, scope), at: loop.iterated.place)
    if let condition = loop.condition {
      var kept: [RuntimeValue] = []
      for element in elements {
        try charge(1, at: place)
        let inner = TemplateScope(scope)
        try assign(element, to: loop.targets, inner, at: place)
        if try evaluate(condition, inner).isTrue { kept.append(element) }
      }
      elements = kept
    }
    if elements.isEmpty { return try execute(loop.otherwise, TemplateScope(scope)) }
    let state = RuntimeValue.LoopState(elements)
    for (index, element) in elements.enumerated() {
      try charge(1, at: place)
      state.index = index
      let inner = TemplateScope(scope)
      inner.values["loop"] = .loop(state)
      try assign(element, to: loop.targets, inner, at: place)
      if try execute(loop.body, inner) == .broken { break }
    }
    return .normal
  }

  private func assign(
    _ value: RuntimeValue,
    to targets: [TemplateStatement.Target],
    _ scope: TemplateScope,
    at place: TemplatePlace
  ) throws(TokenizerError) {
    var values = [value]
    if targets.count > 1 {
      values = try elements(of: value, at: place)
      guard values.count == targets.count else {
        throw failure("\(values.count) values for \(targets.count) names", at: place)
      }
    }
    for (target, value) in zip(targets, values) {
      guard let attribute = target.attribute else {
        scope.values[target.name] = value
        continue
      }
      guard case .namespace(let namespace) = scope[target.name] else {
        throw failure("'\(target.name)' is not a namespace, so it cannot be changed", at: place)
      }
      try set(attribute, of: namespace, to: value, at: place)
    }
  }

  func set(
    _ attribute: String,
    of namespace: RuntimeValue.Namespace,
    to value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) {
    guard !attribute.hasPrefix("_") else {
      throw failure("a namespace cannot have the attribute '\(attribute)'", at: place)
    }
    _ = try containedDepth(value, at: place)
    namespace.table.set(attribute, value)
  }
}
