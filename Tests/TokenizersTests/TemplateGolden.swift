import Foundation

@testable import Tokenizers

/// The files that Tests/Golden/chat_templates.py writes.
enum TemplateGolden {
  static let names = [
    "smollm2", "llama3.1", "qwen2.5", "qwen3", "mistral-nemo", "phi3.5", "gemma2", "generation",
  ]

  static func data(_ file: String) throws -> Data {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    return try Data(contentsOf: tests.appending(path: "Golden/chat-templates/\(file)"))
  }

  static func template(_ name: String) throws -> ChatTemplate {
    let source = String(decoding: try data("\(name).jinja"), as: UTF8.self)
    return try ChatTemplate(source, name: name)
  }

  static func value(_ file: String) throws -> TemplateValue {
    try TemplateValue(json: data(file), source: file)
  }

  /// A conversation and its variables, with the special tokens of a template.
  static func conversation(
    _ title: String,
    for template: String,
    in golden: TemplateValue
  ) throws -> (messages: [ChatMessage], variables: [String: TemplateValue]) {
    let conversation = golden["conversations"][title]
    let messages = try conversation["messages"].elements.map {
      try ChatMessage($0, source: title)
    }
    var variables: [String: TemplateValue] = [:]
    for source in [golden["tokens"][template], conversation["variables"]] {
      guard case .dictionary(let entries) = source else { continue }
      for key in entries.keys { variables[key] = entries[key] }
    }
    return (messages, variables)
  }
}

extension TemplateValue {
  subscript(_ key: String) -> TemplateValue {
    guard case .dictionary(let entries) = self else { return .undefined }
    return entries[key] ?? .undefined
  }

  var elements: [TemplateValue] {
    guard case .list(let elements) = self else { return [] }
    return elements
  }

  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }
}
