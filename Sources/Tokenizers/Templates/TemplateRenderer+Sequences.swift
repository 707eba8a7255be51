/// Filters that go through values.
extension TemplateRenderer {
  func filterElements(
    _ name: String,
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch name {
    case "list":
      _ = try bind(arguments, [], name, at: place)
      return try list(elements(of: value, at: place), at: place)
    case "first", "last":
      _ = try bind(arguments, [], name, at: place)
      if name == "last", case .generator = value {
        throw failure("a generator has no last value; use 'list' first", at: place)
      }
      let all = try elements(of: value, at: place)
      return (name == "first" ? all.first : all.last) ?? .undefined("there is no \(name) item")
    case "items":
      _ = try bind(arguments, [], name, at: place)
      switch value {
      case .undefined: return .generator(.init([]))
      case .dictionary(let entries): return .generator(.init(try pairs(entries, at: place)))
      default: throw failure("'items' takes a dictionary, not \(value.typeName)", at: place)
      }
    case "join":
      let values = try bind(arguments, ["d", "attribute"], name, at: place)
      var strings: [String] = []
      for element in try elements(of: value, at: place) {
        let part = try values[1].map { attribute throws(TokenizerError) in
          try self.value(attribute, in: element, at: place)
        }
        strings.append(try text(of: part ?? element, at: place))
      }
      let separator = try values[0].map { value throws(TokenizerError) in
        try text(of: value, at: place)
      }
      return try joined(strings, by: separator ?? "", at: place)
    case "reverse":
      _ = try bind(arguments, [], name, at: place)
      if case .string = value { return try slice(value, [nil, nil, -1], at: place) }
      return .generator(.init(try elements(of: value, at: place).reversed()))
    case "map": return try map(value, arguments, at: place)
    case "select", "reject", "selectattr", "rejectattr":
      return try select(name, value, arguments, at: place)
    case "sort", "unique", "dictsort": return try sort(name, value, arguments, at: place)
    default: throw unsupported("the filter '\(name)'", at: place)
    }
  }

  /// The value at a path such as `function.name` inside an element.
  private func value(
    _ path: RuntimeValue,
    in element: RuntimeValue,
    default fallback: RuntimeValue? = nil,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    var keys = [path]
    if case .string(let path) = path {
      keys = path.split(separator: ".", omittingEmptySubsequences: false).map { part in
        Int(part).map { .integer($0) } ?? .string(String(part))
      }
    }
    var value = element
    for key in keys {
      value = try item(key, of: value, at: place)
      // As in Jinja, the rest of the path is then looked for in the default.
      if case .undefined = value, let fallback { value = fallback }
    }
    return value
  }

  private func map(
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    var result: [RuntimeValue] = []
    if arguments.positional.isEmpty {
      guard let path = arguments.named.first(where: { $0.name == "attribute" })?.value else {
        throw failure("'map' needs an attribute or a filter", at: place)
      }
      if let other = arguments.named.first(where: { $0.name != "attribute" && $0.name != "default" }
      ) {
        throw failure("'map' has no argument '\(other.name)'", at: place)
      }
      let fallback = arguments.named.first { $0.name == "default" }?.value
      for element in try elements(of: value, at: place) {
        try charge(1, at: place)
        result.append(try self.value(path, in: element, default: fallback, at: place))
      }
      return .generator(.init(result))
    }
    guard case .string(let name) = arguments.positional[0] else {
      throw failure("'map' takes the name of a filter", at: place)
    }
    let rest = CallArguments(
      positional: Array(arguments.positional.dropFirst()),
      named: arguments.named
    )
    for element in try elements(of: value, at: place) {
      try charge(1, at: place)
      result.append(
        try nested(at: place) { () throws(TokenizerError) in
          try filter(name, element, rest, at: place)
        }
      )
    }
    return .generator(.init(result))
  }

  private func select(
    _ name: String,
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    var rest = arguments
    var path: RuntimeValue?
    if name.hasSuffix("attr") {
      guard !rest.positional.isEmpty else { throw failure("'\(name)' needs a name", at: place) }
      path = rest.positional.removeFirst()
    }
    var testName: String?
    if !rest.positional.isEmpty {
      guard case .string(let name) = rest.positional.removeFirst() else {
        throw failure("a test is given by its name", at: place)
      }
      testName = name
    }
    let keepsTrue = name.hasPrefix("select")
    var result: [RuntimeValue] = []
    for element in try elements(of: value, at: place) {
      try charge(1, at: place)
      let tested = try path.map { path throws(TokenizerError) in
        try self.value(path, in: element, at: place)
      }
      let isTrue = try testName.map { testName throws(TokenizerError) in
        try test(testName, tested ?? element, rest, at: place)
      }
      if (isTrue ?? (tested ?? element).isTrue) == keepsTrue { result.append(element) }
    }
    return .generator(.init(result))
  }

  private func sort(
    _ name: String,
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    var parameters = ["reverse", "case_sensitive", "attribute"]
    if name == "unique" { parameters.removeFirst() }
    if name == "dictsort" { parameters = ["case_sensitive", "by", "reverse"] }
    let values = try bind(arguments, parameters, name, at: place)
    func argument(_ name: String) -> RuntimeValue? {
      parameters.firstIndex(of: name).flatMap { values[$0] }
    }
    let isCaseSensitive = argument("case_sensitive")?.isTrue ?? false
    var all: [RuntimeValue]
    var path = argument("attribute")
    if name == "dictsort" {
      guard case .dictionary(let entries) = value else {
        throw failure("'dictsort' takes a dictionary, not \(value.typeName)", at: place)
      }
      all = try pairs(entries, at: place)
      var isByValue = false
      if case .string("value")? = argument("by") { isByValue = true }
      path = .integer(isByValue ? 1 : 0)
    } else {
      all = try elements(of: value, at: place)
    }
    var keys: [RuntimeValue] = []
    for element in all {
      var key = element
      if let path { key = try self.value(path, in: element, at: place) }
      if !isCaseSensitive, case .string(let text) = key { key = .string(text.pythonLowercased) }
      keys.append(key)
    }
    if name == "unique" {
      return .generator(.init(try unique(all, keys, at: place)))
    }
    // Whether any two can be compared is known before sorting, which cannot throw.
    let areStrings = keys.allSatisfy { if case .string = $0 { true } else { false } }
    guard areStrings || keys.allSatisfy({ $0.realNumber != nil }) else {
      throw failure("only strings or only numbers can be sorted", at: place)
    }
    try charge(all.count * 16, at: place)
    let isReversed = argument("reverse")?.isTrue ?? false
    func isBefore(_ left: Int, _ right: Int) -> Bool {
      if case .string(let left) = keys[left], case .string(let right) = keys[right] {
        return left.utf8.lexicographicallyPrecedes(right.utf8)
      }
      return (keys[left].realNumber ?? 0) < (keys[right].realNumber ?? 0)
    }
    // Equal keys keep their order, in reverse too.
    let order = all.indices.sorted { left, right in
      let (first, second) = isReversed ? (right, left) : (left, right)
      return isBefore(first, second) || (!isBefore(second, first) && left < right)
    }
    return try list(order.map { all[$0] }, at: place)
  }

  private func unique(
    _ elements: [RuntimeValue],
    _ keys: [RuntimeValue],
    at place: TemplatePlace
  ) throws(TokenizerError) -> [RuntimeValue] {
    var kept: [Int] = []
    for index in elements.indices {
      var isNew = true
      for other in kept where isNew {
        isNew = !(try isEqual(keys[other], keys[index], at: place))
      }
      if isNew { kept.append(index) }
    }
    return kept.map { elements[$0] }
  }
}
