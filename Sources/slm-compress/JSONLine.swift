import Foundation
import Pipeline

/// An event as one line of JSON, with its keys in a fixed order.
struct JSONLine {
  enum Value {
    case text(String)
    case whole(Int)
    case number(Double)
    case truth(Bool)
  }

  let text: String

  init(_ fields: [(key: String, value: Value)]) {
    let members = fields.map { field -> String in
      let value =
        switch field.value {
        case .text(let text): Self.quoted(text)
        case .whole(let number): String(number)
        case .number(let number): number.isFinite ? "\(number)" : "null"
        case .truth(let truth): truth ? "true" : "false"
        }
      return "\(Self.quoted(field.key)):\(value)"
    }
    text = "{\(members.joined(separator: ","))}"
  }

  init(_ event: RunEvent) {
    switch event {
    case .began(let index, let count, let title):
      self.init([
        ("event", .text("begin")), ("index", .whole(index)), ("count", .whole(count)),
        ("title", .text(title)),
      ])
    case .measuring(let title): self.init([("event", .text("measure")), ("title", .text(title))])
    case .skipped(let index, let count, let title, let reason):
      self.init([
        ("event", .text("skip")), ("index", .whole(index)), ("count", .whole(count)),
        ("title", .text(title)), ("reason", .text(reason)),
      ])
    case .progress(let progress):
      self.init([
        ("event", .text("progress")), ("done", .whole(progress.done)),
        ("total", .whole(progress.total)), ("unit", .text(progress.unit)),
        ("message", .text(progress.message)),
      ])
    case .ended(let title, let seconds, let result):
      self.init([
        ("event", .text("end")), ("title", .text(title)), ("seconds", .number(seconds)),
        ("result", .text(result)),
      ])
    case .note(let text): self.init([("event", .text("note")), ("message", .text(text))])
    case .warning(let text): self.init([("event", .text("warning")), ("message", .text(text))])
    }
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    guard let data = try? encoder.encode(text) else { return "\"\"" }
    return String(decoding: data, as: UTF8.self)
  }
}
