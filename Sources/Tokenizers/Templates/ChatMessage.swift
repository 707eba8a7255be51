/// One message of a conversation, as chat templates see it.
public struct ChatMessage: Sendable, Equatable {
  /// Who speaks: `system`, `user`, `assistant`, `tool`.
  public var role: String
  /// What is said; nil if the message has no key `content`, ``TemplateValue/none`` if it is null.
  public var content: TemplateValue?
  /// Further keys, such as `tool_calls`, `tool_call_id` or `reasoning_content`.
  public var extras: TemplateDictionary

  /// Creates a message.
  ///
  /// - Parameters:
  ///   - role: Who speaks.
  ///   - content: What is said.
  ///   - extras: Further keys.
  public init(role: String, content: String, extras: TemplateDictionary = .init()) {
    self.init(role: role, content: .string(content), extras: extras)
  }

  /// Creates a message whose content is not a plain text, or absent.
  ///
  /// - Parameters:
  ///   - role: Who speaks.
  ///   - content: What is said, or nil to leave the key out.
  ///   - extras: Further keys.
  public init(role: String, content: TemplateValue?, extras: TemplateDictionary = .init()) {
    self.role = role
    self.content = content
    self.extras = extras
  }

  /// Creates a message from an object such as a line of a data set holds.
  ///
  /// - Parameters:
  ///   - value: A dictionary with at least the key `role`.
  ///   - source: Where it comes from, for errors.
  /// - Throws: ``TokenizerError`` if it is not a dictionary or its role is not a string.
  public init(_ value: TemplateValue, source: String) throws(TokenizerError) {
    guard case .dictionary(var entries) = value, case .string(let role) = entries["role"] else {
      throw TokenizerError(
        .wrongType,
        at: .init(source: source, path: "role"),
        "a message is an object with a string 'role'",
        remedy: "write it as {\"role\": \"user\", \"content\": \"…\"}"
      )
    }
    self.role = role
    content = entries["content"]
    entries["role"] = nil
    entries["content"] = nil
    extras = entries
  }

  /// The names under which data sets keep the reasoning before an answer.
  private static let reasoningKeys = ["reasoning_content", "thinking", "reasoning"]

  /// The message as a dictionary, with the reasoning under every name that templates read, as
  /// transformers passes it.
  var templateValue: TemplateValue {
    var entries = TemplateDictionary()
    let reasoning = Self.reasoningKeys.lazy.compactMap { extras[$0] }.first { $0 != .none }
    if let reasoning { entries["thinking"] = reasoning }
    entries["role"] = .string(role)
    if let content { entries["content"] = content }
    for key in extras.keys { entries[key] = extras[key] }
    if let reasoning { entries["reasoning_content"] = reasoning }
    return .dictionary(entries)
  }
}
