/// How far a piece of work is.
public struct RunProgress: Sendable, Hashable {
  /// How many units are done.
  public let done: Int
  /// How many there are.
  public let total: Int
  /// What a unit is called, in the plural.
  public let unit: String
  /// What is being done.
  public let message: String

  /// Creates a state of progress.
  public init(done: Int, total: Int, unit: String, message: String = "") {
    self.done = done
    self.total = total
    self.unit = unit
    self.message = message
  }
}

/// What happens during a run.
public enum RunEvent: Sendable {
  /// A piece of work begins: its place among all, and its title, such as `02 quantize.gptq`.
  case began(index: Int, count: Int, title: String)
  /// The result of the current piece of work is being measured.
  case measuring(title: String)
  /// A piece of work was done by an earlier run.
  case skipped(index: Int, count: Int, title: String, reason: String)
  /// The current piece of work is so far.
  case progress(RunProgress)
  /// The current piece of work ended, after so many seconds, with a result in a few words.
  case ended(title: String, seconds: Double, result: String)
  /// Something worth a line in the log.
  case note(String)
  /// Something the user should know.
  case warning(String)
}

/// Is told what happens during a run.
public protocol RunListener: Sendable {
  /// Receives an event, on whatever thread it happens.
  func receive(_ event: RunEvent)
}

/// Ignores every event.
public struct SilentListener: RunListener {
  /// Creates a listener.
  public init() {}

  /// Does nothing.
  public func receive(_ event: RunEvent) {}
}
