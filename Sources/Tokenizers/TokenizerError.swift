/// What is wrong with a tokenizer's description or its use, where, and what to do about it.
public struct TokenizerError: Error, Equatable, Sendable {
  /// The kinds of problems a caller may want to tell apart.
  public enum Code: String, Sendable {
    /// The file is not JSON.
    case malformedJSON
    /// A value the format requires is absent.
    case missingValue
    /// A value is present but of another type than the format defines.
    case wrongType
    /// A value is of the right type but outside what the format allows.
    case invalidValue
    /// A section or option exists in the format but not in this library.
    case unsupported
    /// Parts of the vocabulary contradict each other.
    case inconsistentVocabulary
    /// A regular expression does not compile, or takes too many steps on a text.
    case pattern
    /// A text or file is larger than this library handles.
    case tooLarge
    /// A text contains what the vocabulary cannot express and no unknown token is defined.
    case unknownToken
    /// The tokenizer has no counterpart in the requested format.
    case notExportable
    /// A chat template is not well-formed.
    case malformedTemplate
    /// A step of a chat template cannot be carried out with the values it is given.
    case templateFailure
    /// A chat template refuses a conversation, by `raise_exception`.
    case raisedByTemplate
    /// It cannot be told which part of a conversation's text is an answer.
    case answerNotFound
    /// It cannot be told which bytes of a text a token stands for.
    case rangeNotFound
    /// A vocabulary cannot be made from a text.
    case training
  }

  /// A file, and the place inside it.
  public struct Location: Equatable, Sendable, CustomStringConvertible {
    /// The name under which the caller opened the file.
    public let source: String
    /// The place: a JSON path such as `model.vocab`, a metadata key, or `line:column`.
    public let path: String

    /// Creates a location.
    ///
    /// - Parameters:
    ///   - source: The name under which the caller opened the file.
    ///   - path: A JSON path, a metadata key or `line:column`; empty for the file as a whole.
    public init(source: String, path: String) {
      self.source = source
      self.path = path
    }

    /// The file and, after a colon, the place inside it.
    public var description: String { path.isEmpty ? source : "\(source): \(path)" }
  }

  /// The kind of problem.
  public let code: Code
  /// The file and the place inside it.
  public let location: Location
  /// What is wrong, as a phrase without a full stop.
  public let problem: String
  /// What the reader can do, as a phrase without a full stop.
  public let remedy: String

  /// Creates an error.
  ///
  /// - Parameters:
  ///   - code: The kind of problem.
  ///   - location: The file and the place inside it.
  ///   - problem: What is wrong, as a phrase without a full stop.
  ///   - remedy: What the reader can do, as a phrase without a full stop.
  public init(_ code: Code, at location: Location, _ problem: String, remedy: String) {
    self.code = code
    self.location = location
    self.problem = problem
    self.remedy = remedy
  }
}

extension TokenizerError: CustomStringConvertible {
  /// Where, what and what to do, in one line.
  public var description: String { "\(location): \(problem); \(remedy)" }
}
