extension TemplateRenderer {
  /// Evaluates an expression; `filtered` is what the first filter of a block works on.
  func evaluate(
    _ expression: TemplateExpression,
    _ scope: TemplateScope,
    filtered: RuntimeValue? = nil
  ) throws(TokenizerError) -> RuntimeValue {
    try charge(1, at: expression.place)
    return try nested(at: expression.place) { () throws(TokenizerError) in
      switch expression.kind {
      case .literal(let value): return literal(value)
      case .name(let name): return scope[name] ?? .undefined("'\(name)' is undefined")
      case .list(let elements):
        return try list(evaluateAll(elements, scope), at: expression.place)
      case .tuple(let elements):
        return .tuple(try items(evaluateAll(elements, scope), at: expression.place))
      case .and(let left, let right):
        let value = try evaluate(left, scope)
        return value.isTrue ? try evaluate(right, scope) : value
      case .or(let left, let right):
        let value = try evaluate(left, scope)
        return value.isTrue ? value : try evaluate(right, scope)
      case .not(let operand): return .boolean(!(try evaluate(operand, scope).isTrue))
      case .conditional(let condition, let then, let otherwise):
        if try evaluate(condition, scope).isTrue { return try evaluate(then, scope) }
        guard let otherwise else {
          return .undefined("the condition is false and there is no 'else'")
        }
        return try evaluate(otherwise, scope)
      case .attribute(let base, let name):
        return try attribute(name, of: evaluate(base, scope), at: expression.place)
      case .item(let base, let key):
        return try item(evaluate(key, scope), of: evaluate(base, scope), at: expression.place)
      case .filter(let base, let name, let arguments):
        return try evaluateFilter(base, name, arguments, scope, filtered, at: expression.place)
      case .test(let base, let name, let arguments):
        let value = try evaluate(base, scope)
        let evaluated = try evaluate(arguments, scope)
        return .boolean(try test(name, value, evaluated, at: expression.place))
      default: return try evaluateOther(expression, scope)
      }
    }
  }

  private func evaluateOther(
    _ expression: TemplateExpression,
    _ scope: TemplateScope
  ) throws(TokenizerError) -> RuntimeValue {
    let place = expression.place
    switch expression.kind {
    case .dictionary(let entries):
      var table = OrderedTable<RuntimeValue>()
      for entry in entries {
        guard case .string(let key) = try evaluate(entry.key, scope) else {
          throw unsupported("a key that is not a string", at: entry.key.place)
        }
        table.set(key, try evaluate(entry.value, scope))
      }
      return try dictionary(table, at: place)
    case .slice(let base, let bounds): return try evaluateSlice(base, bounds, scope, at: place)
    case .call(let callee, let arguments):
      return try evaluateCall(callee, arguments, scope, at: place)
    case .negate(let operand):
      let value = try evaluate(operand, scope)
      if case .number(let number) = value { return .number(-number) }
      return try arithmetic(.integer(0), "-", value, at: place)
    case .plus(let operand):
      return try arithmetic(.integer(0), "+", evaluate(operand, scope), at: place)
    case .arithmetic(let left, let operation, let right):
      return try arithmetic(evaluate(left, scope), operation, evaluate(right, scope), at: place)
    case .concatenation(let parts):
      var result = ""
      for part in parts { result += try text(of: evaluate(part, scope), at: place) }
      return try string(result, at: place)
    case .comparison(let left, let rest):
      var left = try evaluate(left, scope)
      for (operation, operand) in rest {
        let right = try evaluate(operand, scope)
        guard try compare(left, operation, right, at: operand.place) else { return .boolean(false) }
        left = right
      }
      return .boolean(true)
    default: throw unsupported("this expression", at: place)
    }
  }

  private func literal(_ value: TemplateValue) -> RuntimeValue {
    switch value {
    case .boolean(let value): .boolean(value)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .string(let value): .string(value)
    default: .none
    }
  }

  private func evaluateAll(
    _ expressions: [TemplateExpression],
    _ scope: TemplateScope
  ) throws(TokenizerError) -> [RuntimeValue] {
    var values: [RuntimeValue] = []
    for expression in expressions { values.append(try evaluate(expression, scope)) }
    return values
  }

  private func evaluate(
    _ arguments: TemplateArguments,
    _ scope: TemplateScope
  ) throws(TokenizerError) -> CallArguments {
    var named: [(name: String, value: RuntimeValue)] = []
    let positional = try evaluateAll(arguments.positional, scope)
    for (name, value) in arguments.named { named.append((name, try evaluate(value, scope))) }
    return .init(positional: positional, named: named)
  }

  private func evaluateFilter(
    _ base: TemplateExpression?,
    _ name: String,
    _ arguments: TemplateArguments,
    _ scope: TemplateScope,
    _ filtered: RuntimeValue?,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let value: RuntimeValue
    if let base {
      value = try evaluate(base, scope, filtered: filtered)
    } else {
      value = filtered ?? .undefined("there is nothing to filter")
    }
    return try filter(name, value, evaluate(arguments, scope), at: place)
  }

  private func evaluateSlice(
    _ base: TemplateExpression,
    _ bounds: [TemplateExpression?],
    _ scope: TemplateScope,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let value = try evaluate(base, scope)
    var numbers: [Int?] = []
    for bound in bounds {
      guard let bound else {
        numbers.append(nil)
        continue
      }
      let number = try evaluate(bound, scope)
      if case .none = number {
        numbers.append(nil)
      } else if let whole = number.wholeNumber {
        numbers.append(whole)
      } else {
        throw failure("a slice goes by whole numbers, not \(number.typeName)", at: bound.place)
      }
    }
    return try slice(value, numbers, at: place)
  }

  private func evaluateCall(
    _ callee: TemplateExpression,
    _ arguments: TemplateArguments,
    _ scope: TemplateScope,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    if case .attribute(let base, let name) = callee.kind {
      let object = try evaluate(base, scope)
      return try callMethod(name, of: object, evaluate(arguments, scope), at: callee.place)
    }
    let function = try evaluate(callee, scope)
    return try call(function, evaluate(arguments, scope), at: place)
  }

  func call(
    _ function: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch function {
    case .function(let name): return try callFunction(name, arguments, at: place)
    case .macro(let closure): return try callMacro(closure, arguments, at: place)
    case .undefined(let problem): throw failure(problem, at: place)
    default: throw failure("\(function.typeName) cannot be called", at: place)
    }
  }

  private func callMacro(
    _ closure: RuntimeValue.Closure,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let scope = TemplateScope(closure.scope)
    let macro = closure.macro
    let values = try bind(arguments, macro.parameters.map(\.name), macro.name, at: place)
    for (parameter, value) in zip(macro.parameters, values) {
      if let value {
        scope.values[parameter.name] = value
      } else if let expression = parameter.value {
        scope.values[parameter.name] = try evaluate(expression, scope)
      } else {
        scope.values[parameter.name] = .undefined("parameter '\(parameter.name)' was not provided")
      }
    }
    let text = try capture { () throws(TokenizerError) in
      _ = try execute(macro.body, scope)
    }
    return try string(text, at: place)
  }

  // MARK: Attributes and items

  func attribute(
    _ name: String,
    of value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch value {
    case .undefined(let problem): throw failure(problem, at: place)
    case .dictionary(let entries):
      try refuseMethod(name, of: value, at: place)
      return entries.table[name] ?? missing(name, in: value)
    case .namespace(let namespace): return namespace.table[name] ?? missing(name, in: value)
    case .loop(let state): return try loopAttribute(name, state, at: place)
    default:
      try refuseMethod(name, of: value, at: place)
      return missing(name, in: value)
    }
  }

  func missing(_ name: String, in value: RuntimeValue) -> RuntimeValue {
    .undefined("\(value.typeName) has no '\(name)'")
  }

  /// Throws for a name that is a method in Python, which as a value has no counterpart here.
  private func refuseMethod(
    _ name: String,
    of value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) {
    guard Self.methods(of: value).contains(name) || name.hasPrefix("__") else { return }
    throw unsupported(
      "'\(name)', which is a method of \(value.typeName), without a call",
      at: place
    )
  }

  func item(
    _ key: RuntimeValue,
    of value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    if case .undefined(let problem) = value { throw failure(problem, at: place) }
    if let index = key.wholeNumber {
      switch value {
      case .list(let items), .tuple(let items):
        let place = index < 0 ? index + items.elements.count : index
        guard items.elements.indices.contains(place) else { break }
        return items.elements[place]
      case .string(let text):
        try charge(text.utf8.count / 16, at: place)
        let scalars = text.unicodeScalars
        let offset = index < 0 ? index + scalars.count : index
        guard offset >= 0, offset < scalars.count else { break }
        return .string(String(scalars[scalars.index(scalars.startIndex, offsetBy: offset)]))
      default: break
      }
      return .undefined("\(value.typeName) has no element \(index)")
    }
    guard case .string(let name) = key else {
      return .undefined("\(value.typeName) has no element of that key")
    }
    if case .dictionary(let entries) = value, let found = entries.table[name] { return found }
    return try attribute(name, of: value, at: place)
  }

  private func loopAttribute(
    _ name: String,
    _ state: RuntimeValue.LoopState,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let (index, count) = (state.index, state.elements.count)
    switch name {
    case "index": return .integer(index + 1)
    case "index0": return .integer(index)
    case "revindex": return .integer(count - index)
    case "revindex0": return .integer(count - index - 1)
    case "first": return .boolean(index == 0)
    case "last": return .boolean(index == count - 1)
    case "length": return .integer(count)
    case "previtem":
      return index > 0 ? state.elements[index - 1] : .undefined("there is no previous item")
    case "nextitem":
      return index + 1 < count ? state.elements[index + 1] : .undefined("there is no next item")
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "cycle", "changed": throw unsupported("'loop.\(name)' without a call", at: place)
    default: return .undefined("'loop' has no '\(name)'")
    }
  }
}

/// The values a function, filter or macro is called with.
struct CallArguments {
  var positional: [RuntimeValue] = []
  var named: [(name: String, value: RuntimeValue)] = []
}

extension TemplateRenderer {
  /// The values of `parameters` in order; nil for those that are not given.
  func bind(
    _ arguments: CallArguments,
    _ parameters: [String],
    _ function: String,
    at place: TemplatePlace
  ) throws(TokenizerError) -> [RuntimeValue?] {
    guard arguments.positional.count <= parameters.count else {
      throw failure("'\(function)' takes at most \(parameters.count) arguments", at: place)
    }
    var values: [RuntimeValue?] = arguments.positional
    while values.count < parameters.count { values.append(nil) }
    for (name, value) in arguments.named {
      guard let index = parameters.firstIndex(of: name) else {
        throw failure("'\(function)' has no argument '\(name)'", at: place)
      }
      guard values[index] == nil else {
        throw failure("'\(function)' is given '\(name)' twice", at: place)
      }
      values[index] = value
    }
    return values
  }
}
