/// Jinja's tests: what may follow `is`.
extension TemplateRenderer {
  func test(
    _ name: String,
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    let comparisons = [
      "eq": "==", "equalto": "==", "==": "==", "ne": "!=", "!=": "!=", "lt": "<", "lessthan": "<",
      "<": "<", "le": "<=", "<=": "<=", "gt": ">", "greaterthan": ">", ">": ">", "ge": ">=",
      ">=": ">=", "in": "in",
    ]
    if let operation = comparisons[name] {
      return try compare(value, operation, operand(arguments, name, at: place), at: place)
    }
    switch name {
    case "divisibleby":
      guard let number = value.wholeNumber,
        let divisor = try operand(arguments, name, at: place).wholeNumber, divisor != 0
      else { throw failure("'divisibleby' takes whole numbers other than 0", at: place) }
      return number.remainderReportingOverflow(dividingBy: divisor).partialValue == 0
    case "sameas":
      switch (value, try operand(arguments, name, at: place)) {
      case (.none, .none): return true
      case (.boolean(let left), .boolean(let right)): return left == right
      case (.boolean, _), (.none, _), (_, .boolean), (_, .none): return false
      default: throw unsupported("'sameas' of anything but true, false and none", at: place)
      }
    default: break
    }
    _ = try bind(arguments, [], name, at: place)
    switch name {
    case "even", "odd":
      guard let number = value.wholeNumber else {
        throw failure("'\(name)' takes a whole number, not \(value.typeName)", at: place)
      }
      return number.isMultiple(of: 2) == (name == "even")
    case "lower", "upper":
      let cased = try text(of: value, at: place)
      return try stringMethod("is\(name)", cased, .init(), at: place).isTrue
    default: return try isOfKind(name, value, at: place)
    }
  }

  private func operand(
    _ arguments: CallArguments,
    _ name: String,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    guard let operand = try bind(arguments, ["other"], name, at: place)[0] else {
      throw failure("the test '\(name)' needs an argument", at: place)
    }
    return operand
  }

  private func isOfKind(
    _ name: String,
    _ value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    switch (name, value) {
    case ("undefined", .undefined), ("none", .none), ("boolean", .boolean), ("integer", .integer),
      ("float", .number), ("number", .integer), ("number", .number), ("number", .boolean),
      ("string", .string), ("mapping", .dictionary), ("callable", .macro), ("callable", .function),
      ("true", .boolean(true)), ("false", .boolean(false)):
      return true
    case ("defined", .undefined): return false
    case ("defined", _): return true
    // In Python, what is undefined has a length and can be gone through.
    case ("sequence", .undefined), ("sequence", .string), ("sequence", .list), ("sequence", .tuple),
      ("sequence", .dictionary):
      return true
    case ("iterable", .undefined), ("iterable", .string), ("iterable", .list),
      ("iterable", .tuple), ("iterable", .dictionary), ("iterable", .generator),
      ("iterable", .loop):
      return true
    case ("undefined", _), ("none", _), ("boolean", _), ("integer", _), ("float", _),
      ("number", _), ("string", _), ("mapping", _), ("callable", _), ("true", _), ("false", _),
      ("sequence", _), ("iterable", _):
      return false
    default: throw unsupported("the test '\(name)'", at: place)
    }
  }
}
