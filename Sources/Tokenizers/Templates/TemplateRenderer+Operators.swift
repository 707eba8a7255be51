internal import Foundation

/// What Python's operators do.
extension TemplateRenderer {
  /// The values that a loop goes through.
  func elements(
    of value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> [RuntimeValue] {
    switch value {
    case .undefined: return []
    case .list(let items), .tuple(let items): return items.elements
    case .dictionary(let entries): return entries.table.keys.map { .string($0) }
    case .generator(let generator): return generator.take()
    case .string(let text):
      try charge(text.utf8.count, at: place)
      return text.unicodeScalars.map { .string(String($0)) }
    default: throw failure("\(value.typeName) cannot be gone through", at: place)
    }
  }

  // MARK: Arithmetic

  func arithmetic(
    _ left: RuntimeValue,
    _ operation: String,
    _ right: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    for operand in [left, right] {
      if case .undefined(let problem) = operand { throw failure(problem, at: place) }
    }
    if let left = left.wholeNumber, let right = right.wholeNumber {
      return try wholeArithmetic(left, operation, right, at: place)
    }
    if let left = left.realNumber, let right = right.realNumber {
      return try realArithmetic(left, operation, right, at: place)
    }
    switch (left, operation, right) {
    case (.string(let left), "+", .string(let right)):
      return try string(left + right, at: place)
    case (.list(let left), "+", .list(let right)):
      return try list(left.elements + right.elements, at: place)
    case (.tuple(let left), "+", .tuple(let right)):
      return .tuple(try items(left.elements + right.elements, at: place))
    case (.string(let text), "*", let count), (let count, "*", .string(let text)):
      guard let count = count.wholeNumber else { break }
      let limit = Self.textLimit / max(1, text.utf8.count) + 1
      return try string(String(repeating: text, count: min(max(0, count), limit)), at: place)
    case (.list(let items), "*", let count), (let count, "*", .list(let items)):
      guard let count = count.wholeNumber else { break }
      var result: [RuntimeValue] = []
      for _ in 0..<max(0, count) {
        try charge(1 + items.elements.count, at: place)
        result += items.elements
      }
      return try list(result, at: place)
    case (.string, "%", _): throw unsupported("formatting with '%'", at: place)
    default: break
    }
    throw failure(
      "'\(operation)' does not go with \(left.typeName) and \(right.typeName)",
      at: place
    )
  }

  private func wholeArithmetic(
    _ left: Int,
    _ operation: String,
    _ right: Int,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case "+": result = left.addingReportingOverflow(right)
    case "-": result = left.subtractingReportingOverflow(right)
    case "*": result = left.multipliedReportingOverflow(by: right)
    case "/", "//", "%":
      guard right != 0 else { throw failure("division by zero", at: place) }
      if operation == "/" { return .number(Double(left) / Double(right)) }
      let quotient = left.dividedReportingOverflow(by: right)
      let remainder = left.remainderReportingOverflow(dividingBy: right).partialValue
      let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
      result =
        operation == "//"
        ? (quotient.partialValue - (isBelow ? 1 : 0), quotient.overflow)
        : (isBelow ? remainder + right : remainder, false)
    default:
      guard right >= 0 else { return .number(pow(Double(left), Double(right))) }
      var power = (partialValue: 1, overflow: false)
      // Only powers of numbers near zero have large exponents without overflowing.
      let exponent = left.magnitude <= 1 ? right % 2 + (right > 0 ? 2 : 0) : right
      for _ in 0..<exponent where !power.overflow {
        power = power.partialValue.multipliedReportingOverflow(by: left)
      }
      result = power
    }
    guard !result.overflow else { throw failure("the number does not fit 64 bits", at: place) }
    return .integer(result.partialValue)
  }

  private func realArithmetic(
    _ left: Double,
    _ operation: String,
    _ right: Double,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch operation {
    case "+": return .number(left + right)
    case "-": return .number(left - right)
    case "*": return .number(left * right)
    case "**": return .number(pow(left, right))
    default: break
    }
    guard right != 0 else { throw failure("division by zero", at: place) }
    if operation == "/" { return .number(left / right) }
    if operation == "//" { return .number((left / right).rounded(.down)) }
    let remainder = left.truncatingRemainder(dividingBy: right)
    return .number(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder)
  }

  // MARK: Comparison

  func compare(
    _ left: RuntimeValue,
    _ operation: String,
    _ right: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    switch operation {
    case "==": return try isEqual(left, right, at: place)
    case "!=": return !(try isEqual(left, right, at: place))
    case "in": return try contains(right, left, at: place)
    case "not in": return !(try contains(right, left, at: place))
    case "<": return try isLess(left, right, at: place)
    case ">": return try isLess(right, left, at: place)
    // Not the opposite of `>`: a NaN is neither.
    case "<=":
      if try isLess(left, right, at: place) { return true }
      return try isEqual(left, right, at: place)
    default:
      if try isLess(right, left, at: place) { return true }
      return try isEqual(left, right, at: place)
    }
  }

  func isEqual(
    _ left: RuntimeValue,
    _ right: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    try charge(1, at: place)
    if let left = left.wholeNumber, let right = right.wholeNumber { return left == right }
    if let left = left.realNumber, let right = right.realNumber { return left == right }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)):
      try charge(left.utf8.count / 16, at: place)
      return left.hasSameCodePoints(as: right)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      guard left.elements.count == right.elements.count else { return false }
      for (left, right) in zip(left.elements, right.elements) {
        guard try isEqual(left, right, at: place) else { return false }
      }
      return true
    case (.dictionary(let left), .dictionary(let right)):
      guard left.table.keys.count == right.table.keys.count else { return false }
      for (key, value) in zip(left.table.keys, left.table.values) {
        guard let other = right.table[key], try isEqual(value, other, at: place) else {
          return false
        }
      }
      return true
    case (.namespace(let left), .namespace(let right)): return left === right
    default: return false
    }
  }

  func isLess(
    _ left: RuntimeValue,
    _ right: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    for operand in [left, right] {
      if case .undefined(let problem) = operand { throw failure(problem, at: place) }
    }
    if let left = left.wholeNumber, let right = right.wholeNumber { return left < right }
    if let left = left.realNumber, let right = right.realNumber { return left < right }
    if case .string(let left) = left, case .string(let right) = right {
      // The order of UTF-8 bytes is that of code points.
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    }
    throw failure("\(left.typeName) has no order with \(right.typeName)", at: place)
  }

  func contains(
    _ container: RuntimeValue,
    _ value: RuntimeValue,
    at place: TemplatePlace
  ) throws(TokenizerError) -> Bool {
    switch container {
    case .string(let text):
      if case .undefined(let problem) = value { throw failure(problem, at: place) }
      guard case .string(let part) = value else {
        throw failure("a string contains strings only, not \(value.typeName)", at: place)
      }
      if part.isEmpty { return true }
      return try !ranges(of: part, in: text, limit: 1, at: place).isEmpty
    case .dictionary(let entries):
      guard case .string(let key) = value else { return false }
      return entries.table[key] != nil
    case .undefined, .list, .tuple, .generator:
      for element in try elements(of: container, at: place)
      where try isEqual(element, value, at: place) {
        return true
      }
      return false
    default: throw failure("\(container.typeName) contains nothing", at: place)
    }
  }

  // MARK: Slices

  func slice(
    _ value: RuntimeValue,
    _ bounds: [Int?],
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let step = bounds[2] ?? 1
    guard step != 0 else { throw failure("the step of a slice is 0", at: place) }
    switch value {
    case .undefined(let problem): throw failure(problem, at: place)
    case .list(let items):
      return try list(Self.slice(items.elements, bounds[0], bounds[1], step), at: place)
    case .tuple(let items):
      let elements = Self.slice(items.elements, bounds[0], bounds[1], step)
      return .tuple(try self.items(elements, at: place))
    case .string(let text):
      try charge(text.utf8.count / 4, at: place)
      var view = String.UnicodeScalarView()
      let scalars = Array(text.unicodeScalars)
      view.append(contentsOf: Self.slice(scalars, bounds[0], bounds[1], step))
      return .string(String(view))
    default: return .undefined("\(value.typeName) cannot be sliced")
    }
  }

  private static func slice<Element>(
    _ elements: [Element],
    _ start: Int?,
    _ stop: Int?,
    _ step: Int
  ) -> [Element] {
    let count = elements.count
    let (lowest, highest) = step > 0 ? (0, count) : (-1, count - 1)
    func clamped(_ bound: Int?, _ absent: Int) -> Int {
      guard let bound else { return absent }
      return min(max(bound < 0 ? bound + count : bound, lowest), highest)
    }
    let first = clamped(start, step > 0 ? lowest : highest)
    let end = clamped(stop, step > 0 ? highest : lowest)
    return stride(from: first, to: end, by: step).map { elements[$0] }
  }
}
