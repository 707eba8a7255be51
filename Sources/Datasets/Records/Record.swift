/// One record of a data set: a text, or a conversation.
public struct Record: Sendable, Hashable {
  /// What a record holds.
  public enum Content: Sendable, Hashable {
    /// Text to continue.
    case text(String)
    /// Messages, some of which are to be answered.
    case conversation(Conversation)
  }

  /// What the record holds.
  public var content: Content
  /// Where it was found, such as `data.jsonl:17`.
  public var location: String
  /// Whether a document begins with this record.
  ///
  /// Texts of more than a few megabytes arrive in several records, cut at line ends.
  public var startsDocument = true
  /// Whether a document ends with this record.
  public var endsDocument = true

  /// Creates a record that is a document of its own.
  public init(_ content: Content, location: String) {
    (self.content, self.location) = (content, location)
  }
}

/// Messages between a user and an assistant.
public struct Conversation: Sendable, Hashable, Codable {
  /// One message.
  public struct Message: Sendable, Hashable, Codable {
    /// Who speaks: `system`, `user`, `assistant` or `tool`.
    public var role: String
    /// What is said.
    public var content: String

    /// Creates a message.
    public init(role: String, content: String) {
      (self.role, self.content) = (role, content)
    }
  }

  /// What the answering side is called.
  public static let answeringRole = "assistant"

  /// The messages in their order.
  public var messages: [Message]

  /// Creates a conversation.
  public init(_ messages: [Message]) { self.messages = messages }

  /// A question and its answer.
  public init(question: String, answer: String) {
    self.init([
      Message(role: "user", content: question),
      Message(role: Self.answeringRole, content: answer),
    ])
  }
}

/// What was read of a data set.
public struct RecordCounts: Sendable, Hashable, Codable {
  /// How many records were handed out; parts of one long text count once.
  public var records = 0
  /// How many of these are conversations.
  public var conversations = 0
  /// How many broken records were skipped.
  public var broken = 0
  /// What was wrong with the first that was skipped.
  public var firstBroken: String?
  /// How many files were read to the end.
  public var files = 0
  /// What the records were taken for, such as “conversations in `messages`”, sorted.
  public var forms: [String] = []

  /// Creates counts of nothing.
  public init() {}
}
