public import Datasets

/// A text that a stage fits the model to, which must not be what the model is measured on.
public struct FittedText: Sendable, Hashable {
  /// What is read.
  public enum Content: Sendable, Hashable {
    /// A text, of which at most so many tokens are used from its start.
    case text(TextInput, tokens: Int)
    /// A data set by its name or path, as a recipe gives it.
    case records(String, RecordOptions)
  }

  /// What is read.
  public let content: Content
  /// The option that names it, such as `calibration.text`.
  public let option: String

  /// Creates a text.
  public init(_ content: Content, option: String) {
    self.content = content
    self.option = option
  }
}
