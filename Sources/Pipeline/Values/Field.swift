/// One option of a group: its key, meaning, allowed values and place in the group's type.
///
/// Declared once, a field serves reading with line and column, printing, `--set`, the command
/// `describe` and docs/stages.md. The default is the value a fresh group has.
public struct Field<Options: OptionGroup>: Sendable {
  /// What is documented about the field.
  public let reference: FieldReference
  let read: @Sendable (RecipeNode, inout Options, inout RecipeReading) -> Void
  let write: @Sendable (Options) -> RecipeNode
  /// What is documented about the options inside this one, where a group has these values.
  let children: @Sendable (Options) -> [FieldReference]

  /// The key in a recipe.
  public var key: String { reference.key }

  /// Declares an option whose default is the value of a fresh group.
  ///
  /// - Parameters:
  ///   - key: The key in a recipe, in snake_case.
  ///   - property: The property of the same name in camelCase.
  ///   - summary: What the option means, in sentences.
  /// - Returns: The field.
  public static func field<Value: RecipeValue>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    _ summary: String
  ) -> Field {
    make(key, property, summary, limits: nil) { _ in nil }
  }

  /// Declares an option that lies in an interval.
  public static func field<Value: RecipeValue & Comparable>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    in range: some OptionRange<Value>,
    _ summary: String
  ) -> Field {
    let range = range.valueRange
    return make(key, property, summary, limits: range.description) {
      range.contains($0) ? nil : "must be \(range.description)"
    }
  }

  /// Declares an option that is nil or lies in an interval.
  public static func field<Value: RecipeValue & Comparable>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value?> & Sendable,
    in range: some OptionRange<Value>,
    _ summary: String
  ) -> Field {
    let range = range.valueRange
    return make(key, property, summary, limits: range.description) {
      $0.map(range.contains) ?? true ? nil : "must be \(range.description)"
    }
  }

  /// Declares an option with a condition of its own.
  ///
  /// - Parameters:
  ///   - key: The key in a recipe, in snake_case.
  ///   - property: The property of the same name in camelCase.
  ///   - condition: What must hold, as in “bits *must be even*”.
  ///   - holds: Whether it holds for a value.
  ///   - summary: What the option means, in sentences.
  /// - Returns: The field.
  public static func field<Value: RecipeValue>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    condition: String,
    _ holds: @escaping @Sendable (Value) -> Bool,
    _ summary: String
  ) -> Field {
    make(key, property, summary, limits: condition) { holds($0) ? nil : condition }
  }

  /// Declares an option that a recipe must give; the value of a fresh group is never used.
  public static func required<Value: RecipeValue>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    _ summary: String
  ) -> Field {
    make(key, property, summary, limits: nil, isRequired: true) { _ in nil }
  }

  /// Declares an option that a recipe must give and that lies in an interval.
  public static func required<Value: RecipeValue & Comparable>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    in range: some OptionRange<Value>,
    _ summary: String
  ) -> Field {
    let range = range.valueRange
    return make(key, property, summary, limits: range.description, isRequired: true) {
      range.contains($0) ? nil : "must be \(range.description)"
    }
  }

  /// Takes over the fields of a group of options that is shared between stages, so that their
  /// keys stand beside the stage's own.
  ///
  /// Their defaults are those that the stage gives the group.
  public static func fields<Part: OptionGroup>(
    of part: any WritableKeyPath<Options, Part> & Sendable
  ) -> [Field] {
    let defaults = Options()[keyPath: part]
    return Part.fields.map { field in
      Field(
        reference: field.reference.isRequired
          ? field.reference
          : field.reference.with(
            fallback: field.write(defaults),
            children: field.children(defaults)
          ),
        read: { node, options, reading in field.read(node, &options[keyPath: part], &reading) },
        write: { field.write($0[keyPath: part]) },
        children: { field.children($0[keyPath: part]) }
      )
    }
  }

  private static func make<Value: RecipeValue>(
    _ key: String,
    _ property: any WritableKeyPath<Options, Value> & Sendable,
    _ summary: String,
    limits: String?,
    isRequired: Bool = false,
    objection: @escaping @Sendable (Value) -> String?
  ) -> Field {
    let fallback = isRequired ? nil : Options()[keyPath: property].recipeNode
    let children: @Sendable (Options) -> [FieldReference] = { options in
      // A group's options have the defaults that the group around it gives them.
      (options[keyPath: property] as? any OptionGroup)?.fieldReferences ?? Value.self.nestedFields
    }
    return Field(
      reference: FieldReference(
        key: key,
        typeName: Value.typeName,
        limits: limits,
        fallback: fallback,
        summary: summary,
        choices: Value.choices.map { FieldReference.Choice(name: $0.name, summary: $0.summary) },
        children: isRequired ? Value.self.nestedFields : children(Options())
      ),
      read: { node, options, reading in
        let value = reading.read(node, under: key, changing: options[keyPath: property])
        guard let value else { return }
        if let objection = objection(value) {
          reading.problem("\(key) \(objection), not \(node.shortDescription)", at: node)
        } else {
          options[keyPath: property] = value
        }
      },
      write: { $0[keyPath: property].recipeNode },
      children: children
    )
  }
}
