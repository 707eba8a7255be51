internal import Foundation

extension TemplateRenderer {
  /// The functions every template has.
  static let functions = [
    "raise_exception", "strftime_now", "namespace", "range", "dict", "lipsum", "cycler", "joiner",
  ]

  private static let stringMethods: Set<String> = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find",
    "format", "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit",
    "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join",
    "ljust", "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
    "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
  ]
  private static let dictionaryMethods: Set<String> = [
    "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update",
    "values",
  ]
  private static let listMethods: Set<String> = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
  ]

  /// The names that are methods of a value in Python.
  static func methods(of value: RuntimeValue) -> Set<String> {
    switch value {
    case .string: stringMethods
    case .dictionary: dictionaryMethods
    case .list: listMethods
    case .tuple: ["count", "index"]
    default: []
    }
  }

  // MARK: Functions

  func callFunction(
    _ function: String,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch function {
    case "raise_exception":
      let message = try bind(arguments, ["message"], function, at: place)[0] ?? .none
      throw .template(
        .raisedByTemplate,
        name,
        place,
        "the template refuses the conversation: \(try text(of: message, at: place))",
        remedy: "change the conversation as the message says"
      )
    case "strftime_now":
      guard case .string(let format)? = try bind(arguments, ["format"], function, at: place)[0]
      else { throw failure("'strftime_now' needs a format", at: place) }
      return try string(try formattedDate(format, at: place), at: place)
    case "namespace", "dict":
      var table = OrderedTable<RuntimeValue>()
      if let first = arguments.positional.first {
        guard case .dictionary(let entries) = first, arguments.positional.count == 1 else {
          throw failure("'\(function)' takes one dictionary and named values", at: place)
        }
        table = entries.table
      }
      for (name, value) in arguments.named { table.set(name, value) }
      if function == "dict" { return try dictionary(table, at: place) }
      let namespace = RuntimeValue.Namespace()
      for (key, value) in zip(table.keys, table.values) {
        try set(key, of: namespace, to: value, at: place)
      }
      return .namespace(namespace)
    case "range": return try range(arguments, at: place)
    default: throw unsupported("the function '\(function)'", at: place)
    }
  }

  private func range(
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let numbers = arguments.positional.compactMap(\.wholeNumber)
    guard arguments.named.isEmpty, numbers.count == arguments.positional.count,
      (1...3).contains(numbers.count)
    else { throw failure("'range' takes from one to three whole numbers", at: place) }
    let step = numbers.count == 3 ? numbers[2] : 1
    guard step != 0 else { throw failure("the step of a range is 0", at: place) }
    let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
    var elements: [RuntimeValue] = []
    for number in stride(from: start, to: stop, by: step) {
      // The limit of Jinja's sandbox.
      guard elements.count < 100_000 else {
        throw failure("a range has at most 100000 numbers", at: place)
      }
      elements.append(.integer(number))
    }
    return try list(elements, at: place)
  }

  private func formattedDate(
    _ format: String,
    at place: TemplatePlace
  ) throws(TokenizerError) -> String {
    guard !format.isEmpty else { return "" }
    var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    var buffer = [CChar](repeating: 0, count: 1024)
    guard format.utf8.count <= 256, localtime_r(&seconds, &parts) != nil else {
      throw failure("the format of the date is too long", at: place)
    }
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: Methods

  func callMethod(
    _ method: String,
    of value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch value {
    case .undefined(let problem): throw failure(problem, at: place)
    case .string(let text): return try stringMethod(method, text, arguments, at: place)
    case .dictionary(let entries):
      if Self.dictionaryMethods.contains(method) {
        return try dictionaryMethod(method, entries, arguments, at: place)
      }
      return try call(entries.table[method] ?? missing(method, in: value), arguments, at: place)
    case .list(let items), .tuple(let items):
      guard let result = try listMethod(method, items, arguments, at: place) else { break }
      return result
    case .namespace(let namespace):
      return try call(namespace.table[method] ?? missing(method, in: value), arguments, at: place)
    case .loop(let state): return try loopMethod(method, state, arguments, at: place)
    default: break
    }
    guard Self.methods(of: value).contains(method) else {
      throw failure("\(value.typeName) has no method '\(method)'", at: place)
    }
    throw unsupported("the method '\(method)' of \(value.typeName)", at: place)
  }

  private func dictionaryMethod(
    _ method: String,
    _ entries: RuntimeValue.Entries,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let table = entries.table
    switch method {
    case "get":
      let values = try bind(arguments, ["key", "default"], method, at: place)
      guard case .string(let key)? = values[0] else { return values[1] ?? .none }
      return table[key] ?? values[1] ?? .none
    case "keys": return try list(table.keys.map { .string($0) }, at: place)
    case "values": return try list(table.values, at: place)
    case "items": return try list(pairs(entries, at: place), at: place)
    case "copy": return .dictionary(entries)
    default: throw unsupported("the method '\(method)' of a dictionary", at: place)
    }
  }

  func pairs(
    _ entries: RuntimeValue.Entries,
    at place: TemplatePlace
  ) throws(TokenizerError) -> [RuntimeValue] {
    var result: [RuntimeValue] = []
    for (key, value) in zip(entries.table.keys, entries.table.values) {
      result.append(.tuple(try items([.string(key), value], at: place)))
    }
    return result
  }

  private func listMethod(
    _ method: String,
    _ items: RuntimeValue.Items,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue? {
    guard method == "index" || method == "count",
      let wanted = try bind(arguments, ["value"], method, at: place)[0]
    else { return nil }
    var count = 0
    for (index, element) in items.elements.enumerated()
    where try isEqual(element, wanted, at: place) {
      if method == "index" { return .integer(index) }
      count += 1
    }
    if method == "index" { throw failure("the value is not in the list", at: place) }
    return .integer(count)
  }

  private func loopMethod(
    _ method: String,
    _ state: RuntimeValue.LoopState,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let values = arguments.positional
    switch method {
    case "cycle":
      guard !values.isEmpty else { throw failure("'loop.cycle' needs values", at: place) }
      return values[state.index % values.count]
    case "changed":
      defer { state.changing = values }
      guard let previous = state.changing, previous.count == values.count else {
        return .boolean(true)
      }
      for (old, new) in zip(previous, values) where !(try isEqual(old, new, at: place)) {
        return .boolean(true)
      }
      return .boolean(false)
    default: throw failure("'loop' has no method '\(method)'", at: place)
    }
  }
}
