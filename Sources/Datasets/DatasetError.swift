/// What is wrong with a text, where, and what to do about it.
public struct DatasetError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// There is no such built-in text.
    case unknownBuiltin
    /// The file is missing or cannot be read.
    case unreadable
    /// There are no characters, no records, or no tokens that count.
    case empty
    /// The bytes are not UTF-8.
    case notUTF8
    /// The text has fewer tokens than asked for.
    case tooShort
    /// A sample has more tokens than fit a row.
    case tooLong
    /// Compressed or cached bytes are not what they should be.
    case corrupt
    /// A line or record is not of the form that the data has.
    case brokenRecord
    /// An option has a value that makes no sense, alone or with the others.
    case invalidOptions
    /// A state was saved with other data or options.
    case otherData
    /// A file cannot be written.
    case unwritable
  }

  /// The kind of problem.
  public let code: Code
  /// The file or built-in text, and where in it.
  public let location: String
  /// What is wrong, one clause without a full stop.
  public let problem: String
  /// What the user can do, one clause without a full stop.
  public let remedy: String

  /// Creates an error from its three parts: what, where, what to do.
  public init(_ code: Code, _ problem: String, at location: String, remedy: String) {
    self.code = code
    self.problem = problem
    self.location = location
    self.remedy = remedy
  }

  /// The error as one line: where, what, what to do.
  public var description: String { "\(location): \(problem); \(remedy)" }
}
