/// How the files of a data set are read.
public struct RecordOptions: Sendable, Hashable {
  /// What a record is.
  public var form: RecordForm
  /// The field of a JSON record that holds the text, for records that are texts.
  public var textField: String
  /// Where one document of a plain text ends and the next begins.
  public var separator: DocumentSeparator
  /// Whether broken lines of JSON files are skipped and counted, instead of ending the run.
  public var skipBroken: Bool
  /// How many records are read at most; nil for all.
  public var limit: Int?

  /// Creates options; without arguments, those that fit most files.
  public init(
    form: RecordForm = .detected,
    textField: String = "text",
    separator: DocumentSeparator = .none,
    skipBroken: Bool = false,
    limit: Int? = nil
  ) {
    self.form = form
    self.textField = textField
    self.separator = separator
    self.skipBroken = skipBroken
    self.limit = limit
  }

  /// The options as one line, the same for equal options only.
  var identity: String {
    "\(form.rawValue) \(textField.debugDescription) \(separator) \(skipBroken) "
      + (limit.map(String.init) ?? "all")
  }
}

/// Where one document of a plain text ends and the next begins.
///
/// With a separator, line ends around a document are not part of it, and documents without
/// anything but white space are left out. Without one, a file is one document, kept as it is.
public enum DocumentSeparator: Sendable, Hashable {
  /// A file is one document.
  case none
  /// At each occurrence of a text such as `<|endoftext|>`.
  case text(String)
  /// At each line that is a given text and nothing else, but for white space around it.
  case line(String)
  /// At one or more empty lines.
  case blankLines
}

/// What the records of a data set are.
public enum RecordForm: String, Sendable, Hashable, CaseIterable, Codable {
  /// By the file's name and, for JSON, by the keys of the file's first record.
  case detected
  /// Plain text, whatever the file's name.
  case plainText = "plain"
  /// JSON lines with a text in one field, `{"text": …}`.
  case text
  /// JSON lines `{"messages": [{"role": …, "content": …}, …]}`.
  case messages
  /// JSON lines `{"conversations": [{"from": …, "value": …}, …]}`, as ShareGPT has them.
  case turns
  /// JSON lines `{"prompt": …, "response": …}`; the answer may also be called `completion`.
  case promptResponse = "prompts"
  /// JSON lines `{"question": …, "answer": …}`.
  case questionAnswer = "questions"
  /// JSON lines `{"instruction": …, "input": …, "output": …}`, as Alpaca has them; the input may
  /// be empty or missing.
  case instruction
}
