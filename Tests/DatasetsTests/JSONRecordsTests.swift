import Testing

@testable import Datasets

@Suite("JSON lines")
struct JSONRecordsTests {
  let folder = try? TemporaryFolder()

  private func source(
    _ text: String,
    _ options: RecordOptions = RecordOptions()
  ) throws -> RecordSource {
    try RecordSource(#require(folder).file("a.jsonl", text), options: options)
  }

  @Test(
    "texts are read across chunks, with CRLF, empty lines and without a last line end",
    arguments: [1, 2, 3, 7, 1000]
  )
  func texts(chunk: Int) throws {
    let lines =
      "\u{FEFF}{\"text\": \"eins\"}\r\n\r\n {\"id\": [1, {\"a\": null}], "
      + "\"text\": \"é \\u00e9 \\ud83e\\udd8a 🦊 \\\"\\n\"}\n\n{\"text\":\"\"}"
    #expect(try source(lines).texts(chunk: chunk) == ["eins", "é é 🦊 🦊 \"\n", ""])
    let place = try source(lines).all(chunk: chunk).records[1].location
    #expect(place.hasSuffix("a.jsonl:3"))
  }

  @Test("the field of a text is an option")
  func field() throws {
    let options = RecordOptions(textField: "story")
    #expect(try source("{\"story\": \"x\", \"text\": \"y\"}", options).texts() == ["x"])
  }

  @Test(
    "the forms of instruction data are found by their keys",
    arguments: [
      (
        #"{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, "#
          + #"{"role": "assistant", "content": "A"}]}"#,
        ["system: S", "user: U", "assistant: A"], "conversations in `messages`"
      ),
      (
        #"{"id": 1, "conversations": [{"from": "human", "value": "U"}, "#
          + #"{"from": "gpt", "value": "A"}]}"#,
        ["user: U", "assistant: A"], "conversations in `conversations`"
      ),
      (#"{"prompt": "U", "response": "A"}"#, ["user: U", "assistant: A"], "a `prompt`"),
      (#"{"prompt": "U", "completion": "A"}"#, ["user: U", "assistant: A"], "a `prompt`"),
      (#"{"question": "U", "answer": "A"}"#, ["user: U", "assistant: A"], "a `question`"),
      (
        #"{"instruction": "U", "input": "I", "output": "A"}"#,
        ["user: U\n\nI", "assistant: A"], "an `instruction`"
      ),
      (
        #"{"instruction": "U", "input": "", "output": "A"}"#, ["user: U", "assistant: A"],
        "an `instruction`"
      ),
      (#"{"instruction": "U", "output": "A"}"#, ["user: U", "assistant: A"], "an `instruction`"),
    ]
  )
  func forms(line: String, messages: [String], form: String) throws {
    let source = try source(line)
    #expect(try source.conversations() == [messages])
    #expect(try source.all().counts.forms.first?.hasPrefix(form) == true)
  }

  @Test("a form that is asked for is not guessed")
  func explicit() throws {
    let line = #"{"text": "T", "question": "U", "answer": "A"}"#
    #expect(try source(line).conversations().count == 1)
    #expect(try source(line, RecordOptions(form: .text)).texts() == ["T"])
    #expect(try source(line, RecordOptions(form: .plainText)).texts() == [line])
    let name = try #require(folder).file("data.txt", line)
    #expect(
      try RecordSource(name, options: .init(form: .questionAnswer)).conversations().count == 1
    )
  }

  @Test(
    "a broken line is reported with file, line and what is wrong",
    arguments: [
      ("{\"text\": tru}", ":2:10", "expected a value"),
      ("{\"text\": \"a\" \"b\"}", ":2:14", "expected }"),
      ("{\"text\": \"a\"", ":2:13", "the line ends"),
      ("{\"text\": \"a", ":2:12", "inside a string"),
      ("{\"text\": \"\\ud800\"}", ":2:11", "surrogate"),
      ("{\"text\": \"\\x\"}", ":2:11", "escape"),
      ("{\"text\": 01}", ":2:10", "begins with 0"),
      ("{\"text\": 1.}", ":2:12", "digit"),
      ("{\"text\": \"a\", \"text\": \"b\"}", ":2:15", "twice"),
      ("{\"text\": \"a\"} x", ":2:15", "text follows"),
      ("{\"text\": \"a\tb\"}", ":2:12", "control character"),
      ("5", ":2", "a number instead of an object"),
      ("[\"text\"]", ":2", "an array instead of an object"),
      ("{\"other\": \"a\"}", ":2", "no field “text”"),
      ("{\"text\": 5}", ":2", "is a number, not a string"),
      ("{\"text\": null}", ":2", "is null, not a string"),
    ]
  )
  func broken(line: String, place: String, problem: String) throws {
    let text = "{\"text\": \"fine\"}\n\(line)\n{\"text\": \"too\"}\n"
    let error = datasetError { _ = try source(text).all() }
    #expect(error?.code == .brokenRecord)
    #expect(error?.location.hasSuffix("a.jsonl\(place)") == true, "\(error?.description ?? "")")
    #expect(error?.problem.contains(problem) == true, "\(error?.description ?? "")")
    let skipping = try source(text, RecordOptions(skipBroken: true))
    #expect(try skipping.texts() == ["fine", "too"])
    let counts = try skipping.all().counts
    #expect(counts.broken == 1)
    #expect(counts.firstBroken == error?.description)
  }

  @Test("values nested too deeply are an error, not a crash")
  func depth() throws {
    let deep = "{\"text\": " + String(repeating: "[", count: 100_000)
    #expect(datasetError { _ = try source(deep).all() }?.problem.contains("nested") == true)
  }

  @Test(
    "broken conversations say which message is wrong",
    arguments: [
      (#"{"messages": "x"}"#, "is a string, not an array"),
      (#"{"messages": [5]}"#, "message 1: a number instead of an object"),
      (#"{"messages": [{"role": "user"}]}"#, "message 1: there is no field “content”"),
      (#"{"messages": [{"role": "cook", "content": "x"}]}"#, "“cook” is no role"),
      (#"{"messages": [{"role": "user", "content": "x"}]}"#, "no answer"),
      (#"{"messages": []}"#, "no answer"),
      (#"{"question": "x", "answer": ""}"#, "the answer is empty"),
      (#"{"instruction": "x", "input": 5, "output": "y"}"#, "“input” is a number"),
    ]
  )
  func conversations(line: String, problem: String) throws {
    let error = datasetError { _ = try source(line).all() }
    #expect(error?.code == .brokenRecord)
    #expect(error?.problem.contains(problem) == true, "\(error?.description ?? "")")
  }

  @Test("unknown fields, a whole array and nothing but broken lines are errors with a remedy")
  func hopeless() throws {
    let unknown = datasetError { _ = try source("{\"story\": \"x\"}").all() }
    #expect(unknown?.description.contains("“story”") == true)
    let array = datasetError { _ = try source("[\n{\"text\": \"x\"}\n]").all() }
    #expect(array?.location.contains("a.jsonl:1") == true)
    let one = datasetError { _ = try source("[{\"text\": \"x\"}]").all() }
    #expect(one?.remedy.contains("jq") == true)
    let none = datasetError { _ = try source("x\ny", RecordOptions(skipBroken: true)).all() }
    #expect(none?.code == .empty)
    #expect(none?.problem.contains("2 broken") == true)
  }

  @Test("bytes that are not UTF-8 are reported with byte and line, and can be skipped")
  func invalid() throws {
    let bytes = Array("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xFF] + Array("\"}\n".utf8)
    let path = try #require(folder).file("u.jsonl", bytes)
    let error = datasetError { _ = try RecordSource(path).all() }
    #expect(error?.code == .notUTF8)
    #expect(error?.location.hasSuffix("u.jsonl: byte 24, line 2") == true)
    #expect(try RecordSource(path, options: .init(skipBroken: true)).texts() == ["a"])
  }

  @Test("arbitrary bytes never crash the reader", arguments: 0..<40)
  func fuzz(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var bytes = Array(
      "{\"messages\": [{\"role\": \"user\", \"content\": \"\\u00e9\"}], \"x\": 1e5}".utf8
    )
    for _ in 0..<3 {
      bytes[random.index(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
    }
    bytes.removeLast(random.index(below: 10))
    let path = try #require(folder).file("f.jsonl", bytes)
    let options = RecordOptions(skipBroken: true)
    let error = datasetError { _ = try RecordSource(path, options: options).all(chunk: 5) }
    #expect(error == nil || error?.code == .empty)
  }
}
