public import Foundation

/// Turns a conversation into the text a model was trained on: the `chat_template` of a model.
///
/// Renders the part of the Jinja language that the published templates use, with the settings and
/// functions of transformers' `apply_chat_template`. What it does not have is an error that names
/// the construct, its line and its column, when the template is read if it is a matter of syntax
/// and otherwise when it is reached. A template can do nothing but make text, within limits on
/// nesting, steps and length.
///
/// ```swift
/// let template = try ChatTemplate(source, name: "tokenizer_config.json")
/// let prompt = try template.render(
///   messages: [.init(role: "user", content: "Hello")],
///   addGenerationPrompt: true,
///   variables: ["bos_token": "<s>", "eos_token": "</s>"]
/// )
/// ```
///
/// Differs from Python in these: whole numbers have 64 bits, keys of dictionaries are strings, and
/// what `keys()`, `values()` and `items()` give are lists.
public struct ChatTemplate: Sendable {
  let name: String
  let body: [TemplateStatement]
  /// Lower in tests, which would otherwise take long to get there.
  var stepLimit = TemplateRenderer.stepLimit

  /// Whether the template says itself, by `generation` blocks, what a model is to learn to say.
  public let hasGenerationBlocks: Bool

  /// Parses a template.
  ///
  /// - Parameters:
  ///   - source: The template.
  ///   - name: Where it comes from, for errors.
  /// - Throws: ``TokenizerError`` with `malformedTemplate`, or `unsupported` for a statement this
  ///   library does not have.
  public init(_ source: String, name: String) throws(TokenizerError) {
    var parser = try TemplateParser(source, name: name)
    body = try parser.parse()
    hasGenerationBlocks = parser.hasGeneration
    self.name = name
  }

  /// Renders a conversation.
  ///
  /// The template sees `messages`, `add_generation_prompt` and the variables; `tools` and
  /// `documents` are none unless given.
  ///
  /// - Parameters:
  ///   - messages: The conversation.
  ///   - addGenerationPrompt: Whether the text ends with what starts an answer.
  ///   - variables: Further values, such as `bos_token`, `eos_token` and `tools`.
  ///   - date: What `strftime_now` takes for now; nil for the current time. Templates that use it
  ///     give another text every day unless it is set.
  /// - Returns: The text. The special tokens are part of it, so it is to be encoded without adding
  ///   any.
  /// - Throws: ``TokenizerError`` with `raisedByTemplate` if the template refuses the
  ///   conversation, `templateFailure` if a step fails, `unsupported` if a construct is not
  ///   supported, or `tooLarge` if a limit is exceeded.
  public func render(
    messages: [ChatMessage],
    addGenerationPrompt: Bool,
    variables: [String: TemplateValue] = [:],
    date: Date? = nil
  ) throws(TokenizerError) -> String {
    let renderer = try run(messages, addGenerationPrompt, variables, date ?? Date())
    return String(decoding: renderer.output, as: UTF8.self)
  }

  func run(
    _ messages: [ChatMessage],
    _ addGenerationPrompt: Bool,
    _ variables: [String: TemplateValue],
    _ date: Date
  ) throws(TokenizerError) -> TemplateRenderer {
    var all = TemplateDictionary()
    all["tools"] = TemplateValue.none
    all["documents"] = TemplateValue.none
    for (key, value) in variables { all[key] = value }
    all["messages"] = .list(messages.map(\.templateValue))
    all["add_generation_prompt"] = .boolean(addGenerationPrompt)
    let renderer = TemplateRenderer(name: name, date: date, stepLimit: stepLimit)
    try renderer.render(body, all)
    return renderer
  }
}
