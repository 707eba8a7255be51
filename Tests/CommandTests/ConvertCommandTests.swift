import Checkpoints
import Foundation
import Models
import TestSupport
import Testing

@Suite("The command convert")
struct ConvertCommandTests {
  private let tiny: TinyModel
  private var model: String { tiny.url.path }

  init() throws { tiny = try TinyModel() }

  private func convert(_ model: String, _ output: URL, _ type: String = "bfloat16") throws
    -> CommandLineTool.Outcome
  {
    try CommandLineTool.run("convert", model, output.path, "--type", type, "--overwrite")
  }

  @Test("an output that exists is replaced if that is asked for")
  func replacing() throws {
    let output = tiny.result("out")
    #expect(try convert(model, output).status == 0)
    let refused = try CommandLineTool.run("convert", model, output.path, "--type", "float32")
    #expect(refused.status == 2 && refused.errors.contains("exists"))
    let notes = output.appending(path: "notes.txt")
    try Data("mine".utf8).write(to: notes)
    let kept = try convert(model, output, "float32")
    #expect(kept.status == 2 && kept.errors.contains("notes.txt"))
    #expect(try Data(contentsOf: notes) == Data("mine".utf8))
    try FileManager.default.removeItem(at: notes)
    let again = try convert(model, output, "float32")
    #expect(again.status == 0, "\(again.errors)")
    let weights = try Data(contentsOf: output.appending(path: "model.safetensors"))
    #expect(again.output.contains("\(weights.count) bytes of weight files"))
    let file = tiny.result("out.gguf")
    #expect(try convert(model, file, "f32").status == 0)
    #expect(try convert(model, file, "q8_0").status == 0)
    let hidden = try FileManager.default.contentsOfDirectory(atPath: model)
      .filter { $0.hasPrefix(".") }
    #expect(hidden.isEmpty)
  }

  @Test("the input, folders around it and folders of something else are never replaced")
  func refusing() throws {
    let place = FileManager.default.temporaryDirectory.appending(path: "convert-\(UUID())")
    defer { try? FileManager.default.removeItem(at: place) }
    let input = place.appending(path: "input")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: tiny.url, to: input)
    try Data("{}".utf8).write(to: place.appending(path: "config.json"))
    let other = place.appending(path: "other")
    try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
    try Data("notes".utf8).write(to: other.appending(path: "notes.txt"))
    let file = place.appending(path: "file")
    try Data("notes".utf8).write(to: file)
    for goal in [input, place, other, file] {
      let outcome = try convert(input.path, goal)
      #expect(outcome.status == 2, "\(goal.lastPathComponent): \(outcome.errors)")
    }
    #expect(try String(contentsOf: other.appending(path: "notes.txt"), encoding: .utf8) == "notes")
    #expect(try String(contentsOf: file, encoding: .utf8) == "notes")
    #expect(try ModelLoader.load(input).blocks.count == 2)
  }

  @Test("a place that cannot be written is status 1")
  func unwritable() throws {
    let outcome = try convert(model, URL(filePath: "/proc/none/out"))
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
  }

  @Test("a tokenizer that GGUF cannot express is status 2, before anything is written")
  func tokenizer() throws {
    try tiny.replaceTokenizer(["\"ByteLevel\"": "\"Whitespace\""])
    let file = tiny.result("out.gguf")
    let outcome = try convert(model, file, "f32")
    #expect(outcome.status == 2, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: file.path))
  }
}

extension TinyModel {
  /// Replaces texts in tokenizer.json.
  func replaceTokenizer(_ replacements: [String: String]) throws {
    let file = url.appending(path: "tokenizer.json")
    var text = try String(contentsOf: file, encoding: .utf8)
    for (old, new) in replacements { text = text.replacing(old, with: new) }
    try Data(text.utf8).write(to: file, options: .atomic)
  }
}
