/// A value while a template is rendered: a ``TemplateValue``, or what only exists in between.
enum RuntimeValue {
  /// The text says what is undefined, for the error that using it is.
  case undefined(String)
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case list(Items)
  case tuple(Items)
  case dictionary(Entries)
  /// What filters such as `map` give: it can be gone through once, and has no length.
  case generator(Generator)
  case namespace(Namespace)
  case loop(LoopState)
  case macro(Closure)
  /// A function that every template has.
  case function(String)

  struct Items {
    let elements: [RuntimeValue]
    /// The number of containers inside each other, this one included.
    let depth: Int
  }

  struct Entries {
    let table: OrderedTable<RuntimeValue>
    let depth: Int
  }

  final class Generator {
    private var elements: [RuntimeValue]
    init(_ elements: [RuntimeValue]) { self.elements = elements }

    func take() -> [RuntimeValue] {
      defer { elements = [] }
      return elements
    }
  }

  /// What `namespace()` makes: the only value that can be changed.
  final class Namespace {
    var table = OrderedTable<RuntimeValue>()
  }

  /// What `loop` stands for inside a loop.
  final class LoopState {
    let elements: [RuntimeValue]
    var index = 0
    var changing: [RuntimeValue]?
    init(_ elements: [RuntimeValue]) { self.elements = elements }
  }

  /// A macro and the scope it was defined in.
  final class Closure {
    let macro: TemplateStatement.Macro
    let scope: TemplateScope
    init(_ macro: TemplateStatement.Macro, _ scope: TemplateScope) {
      self.macro = macro
      self.scope = scope
    }
  }
}

/// The variables of a body, and those around it.
final class TemplateScope {
  var values: [String: RuntimeValue] = [:]
  let parent: TemplateScope?

  init(_ parent: TemplateScope?) { self.parent = parent }

  subscript(_ name: String) -> RuntimeValue? {
    var scope: TemplateScope? = self
    while let current = scope {
      if let value = current.values[name] { return value }
      scope = current.parent
    }
    return nil
  }
}

extension RuntimeValue {
  /// The number of containers inside each other, or nil for what no container may hold.
  var depth: Int? {
    switch self {
    case .list(let items), .tuple(let items): items.depth
    case .dictionary(let entries): entries.depth
    case .generator, .namespace, .loop, .macro, .function: nil
    default: 0
    }
  }

  /// The name of the value's type in Python, for errors.
  var typeName: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "None"
    case .boolean: "a truth value"
    case .integer: "a whole number"
    case .number: "a number"
    case .string: "a string"
    case .list: "a list"
    case .tuple: "a tuple"
    case .dictionary: "a dictionary"
    case .generator: "a generator"
    case .namespace: "a namespace"
    case .loop: "a loop"
    case .macro: "a macro"
    case .function: "a function"
    }
  }

  /// Python's truth.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .boolean(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let items), .tuple(let items): !items.elements.isEmpty
    case .dictionary(let entries): !entries.table.keys.isEmpty
    default: true
    }
  }

  /// The whole number that a whole number or a truth value counts as.
  var wholeNumber: Int? {
    switch self {
    case .integer(let value): value
    case .boolean(let value): value ? 1 : 0
    default: nil
    }
  }

  /// The number that any kind of number counts as.
  var realNumber: Double? {
    if case .number(let value) = self { return value }
    return wholeNumber.map(Double.init)
  }
}

extension Double {
  /// The number as Python prints it.
  var pythonText: String {
    if isNaN { return "nan" }
    if isInfinite { return self < 0 ? "-inf" : "inf" }
    let text = description
    guard magnitude >= 1e16, !text.contains("e") else { return text }
    // Both print the fewest digits that give the number back, but Python turns to exponents
    // earlier.
    let sign = self < 0 ? "-" : ""
    let digits = text.drop { $0 == "-" }.prefix { $0 != "." }
    var rest = digits.dropFirst()
    while rest.last == "0" { rest.removeLast() }
    let fraction = rest.isEmpty ? "" : ".\(rest)"
    return "\(sign)\(digits.prefix(1))\(fraction)e+\(digits.count - 1)"
  }
}
