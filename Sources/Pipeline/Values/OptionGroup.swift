/// Options that belong together, each declared once as a ``Field``.
///
/// ```swift
/// struct WandaOptions: StageOptions {
///   var sparsity = 0.5
///   var pattern = SparsityPattern.unstructured
///   static var fields: [Field<Self>] {
///     [
///       .field("sparsity", \.sparsity, in: 0..<1, "Fraction of weights set to zero."),
///       .field("pattern", \.pattern, "`unstructured`, or `N:M`."),
///     ]
///   }
/// }
/// ```
///
/// A group is itself a ``RecipeValue``, so that an option can be a group or a list of groups.
public protocol OptionGroup: RecipeValue {
  /// Creates the group with every option at its default.
  init()

  /// The options, in the order in which they are documented and printed.
  static var fields: [Field<Self>] { get }

  /// Finds what is wrong with the options together, after each alone has been found right.
  func problems() -> [StageProblem]
}

/// The options of a stage.
public protocol StageOptions: OptionGroup {}

extension OptionGroup {
  /// “keys with values”.
  public static var typeName: String { "keys with values" }

  /// None.
  public func problems() -> [StageProblem] { [] }

  /// Reads every key, noting all problems: unknown and repeated keys, wrong values, missing keys.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Self? {
    Self().changed(by: node, &reading)
  }

  /// Reads the keys that a node gives, noting all problems, and keeps what it does not give.
  func changed(by node: RecipeNode, _ reading: inout RecipeReading) -> Self? {
    let entries: [RecipeNode.Entry]
    if node.isNothing {
      entries = []
    } else if case .map(let found) = node.content {
      entries = found
    } else {
      return reading.expected(Self.typeName, node)
    }
    let problemCount = reading.problems.count
    var group = self
    let fields = Self.fields
    reading.checkKeys(entries, known: fields.map(\.key))
    for field in fields {
      if let entry = entries.first(where: { $0.key == field.key }) {
        field.read(entry.value, &group, &reading)
      } else if field.reference.isRequired {
        reading.problem("`\(field.key)` is missing: \(field.reference.summary)", at: node)
      }
    }
    guard reading.problems.count == problemCount else { return nil }
    for problem in group.problems() {
      reading.problem(problem.message, at: reading.position(of: problem, in: node))
    }
    return reading.problems.count == problemCount ? group : nil
  }

  /// Every option with its value; options that are nil by default and nil are left out.
  public var recipeNode: RecipeNode {
    var entries: [RecipeNode.Entry] = []
    for field in Self.fields {
      let value = field.write(self)
      if value.isNothing, field.reference.fallback?.isNothing ?? false { continue }
      entries.append(RecipeNode.Entry(field.key, value))
    }
    return RecipeNode(.map(entries))
  }
}

extension RecipeReading {
  /// Notes keys that are not known or are given more than once.
  mutating func checkKeys(
    _ entries: [RecipeNode.Entry],
    known: [String],
    noun: String = "key"
  ) {
    var seen: [String: SourcePosition?] = [:]
    for entry in entries {
      if let first = seen[entry.key] {
        let line = first.map { ", first on line \($0.line)" } ?? ""
        problem("`\(Wording.excerpt(entry.key))` is given twice\(line)", at: entry.position)
      } else if !known.contains(entry.key) {
        let hint = Wording.didYouMean(entry.key, known, orList: "known \(noun)s")
        problem("unknown \(noun) `\(Wording.excerpt(entry.key))`\(hint)", at: entry.position)
      }
      seen[entry.key] = entry.position
    }
  }

  /// The place of the option that a problem names, or of the group if there is none.
  func position(of problem: StageProblem, in node: RecipeNode) -> SourcePosition? {
    guard let option = problem.option else { return node.position }
    return positions[(path + [option]).joined(separator: ".")] ?? node.position
  }
}

extension RecipeValue {
  /// The fields of the group that the value is or lists.
  static var nestedFields: [FieldReference] {
    if let group = Self.self as? any OptionGroup.Type { return group.fieldReferences }
    if let list = Self.self as? any NestingValue.Type { return list.elementFields }
    return []
  }
}

extension OptionGroup {
  /// What is documented about every option.
  public static var fieldReferences: [FieldReference] { fields.map(\.reference) }

  /// What is documented about every option where those that are not given keep these values.
  var fieldReferences: [FieldReference] {
    Self.fields.map { field in
      field.reference.isRequired
        ? field.reference
        : field.reference.with(fallback: field.write(self), children: field.children(self))
    }
  }
}

/// A value that wraps others whose fields are to be documented.
protocol NestingValue {
  static var elementFields: [FieldReference] { get }
}

extension Array: NestingValue where Element: RecipeValue {
  static var elementFields: [FieldReference] { Element.nestedFields }
}

extension Optional: NestingValue where Wrapped: RecipeValue {
  static var elementFields: [FieldReference] { Wrapped.nestedFields }
}
