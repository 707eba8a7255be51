/// Texts about stages and recipes, made from their fields.
public enum StageReference {
  /// One line per stage.
  public static func overview(_ registry: StageRegistry) -> String {
    let width = registry.stages.map { $0.kind.count }.max() ?? 0
    let lines = registry.stages.map { stage in
      let padding = String(repeating: " ", count: width - stage.kind.count)
      return "\(stage.kind)\(padding)  \(stage.summary)\n"
    }
    return lines.joined() + "\nslm-compress describe STAGE shows a stage's options, "
      + "describe recipe those of a recipe.\n"
  }

  /// A stage's options, or with `recipe` a recipe's; nil if there is no such stage.
  public static func text(_ name: String, _ registry: StageRegistry) -> String? {
    if name == "recipe" { return recipeText(registry) }
    guard let stage = registry.stage(name) else { return nil }
    return """
      \(stage.kind)
        \(wrapped(stage.summary, indent: 2))

        \(effect(stage.effect))

      Options
      \(options(fields(stage), indent: 2))
      Example
        stages:
          - \(stage.example)

      """
  }

  private static func recipeText(_ registry: StageRegistry) -> String {
    let metrics = registry.metrics.map { metric in
      "  \(metric.name)\n      \(wrapped(metric.summary, indent: 6))\n"
    }
    return """
      Keys of a recipe
      \(options(Recipe.fieldReferences, indent: 2))
      A bound of a gate
      \(options(GateBound.fieldReferences, indent: 2))
      Metrics of gates
      \(metrics.joined())
      """
  }

  private static func options(_ fields: [FieldReference], indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    return fields.map { field in
      let head = wrapped(
        "\(field.key): \(details(field).joined(separator: ", "))",
        indent: indent + 4
      )
      var text = "\(margin)\(head)\n"
      text += "\(margin)    \(wrapped(field.summary, indent: indent + 4))\n"
      for choice in field.choices where !choice.summary.isEmpty {
        text +=
          "\(margin)    - \(wrapped("\(choice.name): \(choice.summary)", indent: indent + 6))\n"
      }
      return text + options(field.children, indent: indent + 4)
    }.joined()
  }

  /// What a field's value is, what it must be, and its default.
  static func details(_ field: FieldReference) -> [String] {
    var details = [field.typeName]
    if let limits = field.limits { details.append(limits) }
    switch field.fallbackText {
    case nil: details.append("required")
    case "\"\""?, "null"?: break
    case let text?:
      // A group's default is that of each of its options.
      if field.children.isEmpty || text == "[]" { details.append("default \(text)") }
    }
    return details
  }

  static func effect(_ effect: StageEffect) -> String {
    switch effect {
    case .changesModel: "Changes the model that later stages read."
    case .exports: "Writes a file or folder; later stages read the same model."
    case .measures: "Reports numbers only."
    case .restoresBaseline: "Later stages read the original model."
    }
  }

  static func fields(_ stage: any Stage.Type) -> [FieldReference] { fields(of: stage) }

  private static func fields<Kind: Stage>(of stage: Kind.Type) -> [FieldReference] {
    Kind.Options.fieldReferences
  }

  /// A text broken into lines of 80 columns, of which all but the first are indented.
  private static func wrapped(_ text: String, indent: Int) -> String {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, indent + line.count + 1 + word.count > 80 {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return (lines + [line]).joined(separator: "\n" + String(repeating: " ", count: indent))
  }

  /// A stage as a line of a recipe: required options, and the first others that fit.
  static func example<Options: StageOptions>(kind: String, _ options: Options.Type) -> String {
    let fields = options.fieldReferences
    let required = fields.filter(\.isRequired)
    let optional = fields.filter { field in
      !field.isRequired && field.children.isEmpty && !(field.fallback?.isNothing ?? true)
    }
    let entries =
      required.map { RecipeNode.Entry($0.key, .plain("…")) }
      + optional.prefix(max(0, 3 - required.count)).map {
        RecipeNode.Entry($0.key, $0.fallback ?? .plain("…"))
      }
    return entries.isEmpty
      ? kind : "\(kind): \(RecipePrinter.inline(RecipeNode(.map(entries))))"
  }
}
