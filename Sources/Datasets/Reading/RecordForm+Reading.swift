extension RecordForm {
  /// What is wrong with a record.
  struct Mistake: Error {
    var message: String
    var remedy: String

    init(_ message: String, _ remedy: String = "correct the record, or skip broken ones") {
      (self.message, self.remedy) = (message, remedy)
    }
  }

  /// What the records are, for reports.
  func description(textField: String) -> String {
    switch self {
    case .detected: "records"
    case .plainText: "plain text"
    case .text: "texts in `\(textField)`"
    case .messages: "conversations in `messages`"
    case .turns: "conversations in `conversations`"
    case .promptResponse: "a `prompt` with its `response`"
    case .questionAnswer: "a `question` with its `answer`"
    case .instruction: "an `instruction` with its `output`"
    }
  }

  /// Finds the form of a JSON record by its keys; nil if none fits.
  static func detect(_ record: JSONField, textField: String) -> RecordForm? {
    func has(_ keys: String...) -> Bool { keys.allSatisfy { record[$0] != nil } }
    if has("messages") { return .messages }
    if has("conversations") { return .turns }
    if has("instruction", "output") { return .instruction }
    if has("prompt", "response") || has("prompt", "completion") { return .promptResponse }
    if has("question", "answer") { return .questionAnswer }
    return has(textField) ? .text : nil
  }

  /// Takes a JSON record apart.
  func content(of record: JSONField, textField: String) throws(Mistake) -> Record.Content {
    switch self {
    case .detected, .plainText: throw Mistake("a JSON record is not plain text")
    case .text: return .text(try Self.string(record, textField))
    case .messages: return try Self.conversation(record, "messages", role: "role", text: "content")
    case .turns: return try Self.conversation(record, "conversations", role: "from", text: "value")
    case .promptResponse:
      let answer =
        record["response"] == nil && record["completion"] != nil ? "completion" : "response"
      return try Self.pair(Self.string(record, "prompt"), Self.string(record, answer))
    case .questionAnswer:
      return try Self.pair(Self.string(record, "question"), Self.string(record, "answer"))
    case .instruction:
      var question = try Self.string(record, "instruction")
      if let input = record["input"], input != .null {
        let input = try Self.string(record, "input")
        if !input.isEmpty { question += "\n\n" + input }
      }
      return try Self.pair(question, Self.string(record, "output"))
    }
  }

  private static func string(
    _ record: JSONField,
    _ key: String,
    in place: String = ""
  ) throws(Mistake) -> String {
    switch record[key] {
    case .string(let text): return text
    case nil: throw Mistake("\(place)there is no field “\(key)”")
    case let other?: throw Mistake("\(place)the field “\(key)” is \(other.kind), not a string")
    }
  }

  private static func pair(_ question: String, _ answer: String) throws(Mistake) -> Record.Content {
    guard !answer.isEmpty else { throw Mistake("the answer is empty") }
    return .conversation(Conversation(question: question, answer: answer))
  }

  /// What the roles of data sets are called here.
  private static let roles = [
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "chatgpt": "assistant",
    "tool": "tool", "observation": "tool", "function_response": "tool",
  ]

  private static func conversation(
    _ record: JSONField,
    _ key: String,
    role roleKey: String,
    text textKey: String
  ) throws(Mistake) -> Record.Content {
    guard case .array(let elements)? = record[key] else {
      let found = record[key].map { "is \($0.kind), not an array" }
      throw Mistake(found.map { "the field “\(key)” \($0)" } ?? "there is no field “\(key)”")
    }
    var messages: [Conversation.Message] = []
    for (index, element) in elements.enumerated() {
      let place = "message \(index + 1): "
      guard case .object = element else {
        throw Mistake("\(place)\(element.kind) instead of an object")
      }
      let written = try string(element, roleKey, in: place)
      guard let role = roles[written.lowercased()] else {
        throw Mistake(
          "\(place)“\(written)” is no role",
          "roles are system, user (human), assistant (gpt) and tool"
        )
      }
      messages.append(.init(role: role, content: try string(element, textKey, in: place)))
    }
    guard messages.contains(where: { $0.role == Conversation.answeringRole }) else {
      throw Mistake("the conversation has no answer", "add a message of the assistant")
    }
    return .conversation(Conversation(messages))
  }
}
