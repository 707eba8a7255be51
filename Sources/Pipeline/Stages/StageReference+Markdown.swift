extension StageReference {
  /// docs/stages.md: every stage with its options, the keys of a recipe, and the metrics.
  public static func markdown(_ registry: StageRegistry) -> String {
    var text = """
      # Stages

      What a recipe can do, option by option. This page is generated from the stages themselves by
      `slm-compress describe --markdown`; [recipes.md](recipes.md) explains how a recipe is written.

      """
    for stage in registry.stages {
      text += "\n- [`\(stage.kind)`](#\(anchor(stage.kind))): \(stage.summary)"
    }
    text += "\n"
    for stage in registry.stages {
      text += """

        ## \(stage.kind)

        \(stage.summary) \(effect(stage.effect))

        ```yaml
        stages:
          - \(stage.example)
        ```

        \(table(fields(stage)))
        """
    }
    text += """

      ## Keys of a recipe

      \(table(Recipe.fieldReferences))
      ### A bound of a gate

      \(table(GateBound.fieldReferences))
      ## Metrics

      What gates can bound. Numbers in report.json have the same names but for those in brackets.

      | metric | meaning |
      |:---|:---|

      """
    for metric in registry.metrics {
      let key = metric.key == metric.name ? "" : " (`\(metric.key)`)"
      text += "| `\(metric.name)`\(key) | \(escaped(metric.summary)) |\n"
    }
    return text
  }

  private static func table(_ fields: [FieldReference]) -> String {
    guard !fields.isEmpty else { return "No options.\n" }
    return "| option | value | meaning |\n|:---|:---|:---|\n" + rows(fields, under: "")
  }

  private static func rows(_ fields: [FieldReference], under prefix: String) -> String {
    fields.map { field in
      var meaning = escaped(field.summary)
      for choice in field.choices where !choice.summary.isEmpty {
        meaning += "<br>`\(choice.name)`: \(escaped(choice.summary))"
      }
      var details = details(field)
      if let last = details.last, last.hasPrefix("default ") {
        details[details.count - 1] = "default `\(last.dropFirst("default ".count))`"
      }
      let value = escaped(details.joined(separator: ", "))
      return "| `\(prefix)\(field.key)` | \(value) | \(meaning) |\n"
        + rows(field.children, under: "\(prefix)\(field.key).")
    }.joined()
  }

  private static func escaped(_ text: String) -> String { text.replacing("|", with: "\\|") }

  private static func anchor(_ heading: String) -> String {
    heading.lowercased().filter { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
  }
}
