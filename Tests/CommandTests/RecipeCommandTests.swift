import Foundation
import Pipeline
import TestSupport
import Testing

@Suite("Commands on recipes")
struct RecipeCommandTests {
  private let folder: URL
  private let recipe: String

  /// The small random model that other tests compare with transformers.
  private static let model = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/models/llama-3").path

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "recipes-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    recipe = folder.appending(path: "tiny.yaml").path
    try write(
      """
      model: \(Self.model)
      stages:
        - quantize.round_to_nearest: { bits: 8, group_size: 8 }
        - export.compressed_tensors: { path: tiny-int8, type: bfloat16 }
      gates:
        size_ratio: { at_most: 0.9 }
      """
    )
  }

  private func write(_ text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: recipe))
  }

  private func runs(_ arguments: String...) throws -> CommandLineTool.Outcome {
    try CommandLineTool.run(["run", recipe, "-o", folder.path + "/run"] + arguments)
  }

  @Test("check says that a recipe can run, or everything that is wrong with it")
  func check() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let good = try CommandLineTool.run("check", recipe)
    #expect(good.status == 0)
    #expect(good.output == "\(recipe): ok, 2 stages\n")
    try write("model: \(Self.model)\nstages:\n  - quantize.round_to_nearest: { bitz: 8 }\n")
    try #expect(CommandLineTool.run("check", "--syntax-only", recipe).status == 2)
    let bad = try CommandLineTool.run("check", recipe, "no-such.yaml")
    #expect(bad.status == 2)
    #expect(
      bad.errors == """
        \(recipe):3:34: error: unknown key `bitz`; did you mean `bits`?
          - quantize.round_to_nearest: { bitz: 8 }
                                         ^
        error: no-such.yaml: there is no such file

        """
    )
  }

  @Test("a damaged tokenizer is a problem of the recipe")
  func tokenizer() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let tiny = try TinyModel()
    try Data("{".utf8).write(to: tiny.url.appending(path: "tokenizer.json"))
    try write("model: \(tiny.url.path)\nevaluation: {}\nstages:\n  - evaluate\n")
    for command in ["check", "run"] {
      let outcome = try CommandLineTool.run(command, recipe)
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("\(recipe):1:8: error: the tokenizer"), "\(outcome.errors)")
    }
    try write(
      "model: \(tiny.url.path)\nstages:\n  - export.gguf: { type: q8_0, path: a.gguf }\n"
    )
    let outcome = try CommandLineTool.run("check", recipe)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("\(recipe):3:"), "\(outcome.errors)")
  }

  @Test("bad input that only the run finds is status 2")
  func shortText() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let tiny = try TinyModel()
    try Data("a".utf8).write(to: folder.appending(path: "short.txt"))
    try write(
      """
      model: \(tiny.url.path)
      evaluation: { perplexity: short.txt, context: 16 }
      stages:
        - quantize.round_to_nearest: { bits: 8, group_size: 8 }
      """
    )
    let outcome = try runs()
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("to do:"))
  }

  @Test("a new model is planned, made, exported and measured")
  func newModel() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let tiny = try TinyModel()
    try write(
      """
      model:
        new:
          hidden_size: 64
          layers: 2
          heads: 4
          feed_forward_size: 96
          vocabulary_size: 512
          context_length: 64
          tokenizer: \(tiny.url.path)
      evaluation: { context: 64, tokens: 256 }
      stages:
        - export.huggingface: { path: new-bf16, type: bfloat16 }
        - export.gguf: { path: new.gguf, type: f16 }
      """
    )
    let plan = try CommandLineTool.run("plan", recipe)
    #expect(plan.status == 0)
    #expect(plan.output.contains("new llama: 15 matrices, 0.103 M"), "\(plan.output)")
    #expect(plan.output.contains("410.9 kB"), "\(plan.output)")
    let outcome = try runs()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("[1/4] 00-model"))
    let generated = try CommandLineTool.run(
      ["generate", folder.path + "/run/new.gguf", "--prompt", "a", "--count", "2"]
    )
    #expect(generated.status == 0, "\(generated.errors)")
  }

  @Test("plan shows matches and sizes before anything runs")
  func plan() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let plan = try CommandLineTool.run("plan", recipe, "--set", "stages.0.bits=4")
    #expect(plan.status == 0, "\(plan.errors)")
    #expect(plan.output.hasPrefix("stage "))
    #expect(plan.output.contains("peak memory"))
    #expect(plan.output.contains("01-quantize.round_to_nearest"))
    #expect(plan.output.contains("model.layers.*: 14 matrices"))
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
  }

  @Test("run compresses and reports, and a second run does nothing")
  func run() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let first = try runs()
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("tiny-int8"))
    #expect(first.output.hasSuffix("report: \(folder.path)/run/report.html\n"))
    #expect(first.errors.contains("[1/2] 01-quantize.round_to_nearest"))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/run").sorted()
    #expect(
      names == [
        "01-quantize.round_to_nearest", "02-export.compressed_tensors", "environment.json",
        "log.txt", "recipe.resolved.yaml", "recipe.yaml", "report.html", "report.json",
        "report.md", "report.xml", "run.lock", "tiny-int8",
      ]
    )
    let second = try runs()
    #expect(second.status == 0)
    #expect(
      second.errors == """
        [1/2] 01-quantize.round_to_nearest: done already
        [2/2] 02-export.compressed_tensors: done already

        """
    )
    #expect(second.output == first.output)
    let report = try CommandLineTool.run("report", folder.path + "/run", "--format", "junit")
    #expect(report.output.contains("<testsuites tests=\"1\" failures=\"0\">"))
  }

  @Test("a failed gate is status 3, after the report is written")
  func gate() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try runs("--set", "gates.size_ratio.at_most=0.1", "--quiet")
    #expect(outcome.status == 3)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("gate failed: size_ratio of tiny-int8 is 0."))
    #expect(outcome.errors.hasSuffix(", not at most 0.1\n"))
    #expect(FileManager.default.fileExists(atPath: folder.path + "/run/report.html"))
  }

  @Test("a gate bounds the divergence from a reference that is kept, where it names the stage")
  func keptReference() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let tiny = try TinyModel()
    let text = """
      model: \(tiny.url.path)
      stages:
        - quantize.round_to_nearest: { bits: 4, group_size: 8 }
        - evaluate: { reference: \(tiny.url.path), cache: { path: kept, top_k: 4 }, context: 32, tokens: 128 }
      gates:
        kl_lower_bound: { at_most: 100 OF}

      """
    try write(text.replacing("OF", with: ", of: evaluate "))
    #expect(try runs("--quiet").status == 0)
    let missed = try runs("--quiet", "--set", "gates.kl_lower_bound.at_most=0")
    #expect(missed.status == 3)
    #expect(missed.errors.hasPrefix("gate failed: kl_lower_bound of 02-evaluate is "))
    try write(
      text.replacing("OF", with: ", of: evaluate ").replacing("path: kept, top_k: 4", with: "")
        .replacing("cache: {  }, ", with: "")
    )
    let uncached = try CommandLineTool.run("check", recipe)
    #expect(uncached.status == 2)
    #expect(uncached.errors.contains("`kl_lower_bound` is measured there only with `cache`"))
    try write(text.replacing("OF", with: ""))
    let unnamed = try CommandLineTool.run("check", recipe)
    #expect(unnamed.status == 2)
    let complaint = "\(recipe):6:19: error: `kl_lower_bound` is measured only by a stage"
    #expect(unnamed.errors.contains(complaint))
  }

  @Test("JSON is one object per line, the last with the outcome")
  func json() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try runs("--json")
    #expect(outcome.status == 0)
    #expect(outcome.errors.isEmpty)
    let lines = outcome.output.split(separator: "\n")
    let events = try lines.map { line in
      try #require(
        JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      )["event"] as? String
    }
    #expect(events.first == "begin")
    #expect(events.last == "report")
    #expect(lines.last?.contains("\"passed\":true") ?? false)
  }

  @Test(
    "bad arguments are status 2",
    arguments: [["run"], ["run", "x", "--json", "-q"], ["frob"]]
  )
  func arguments(_ arguments: [String]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandLineTool.run(arguments)
    #expect(outcome.status == 2)
    #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
    #expect(outcome.errors.contains("Usage: "))
  }

  @Test("a run that cannot write is status 1")
  func unwritable() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandLineTool.run("run", recipe, "-o", recipe + "/x")
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
  }

  @Test("an interrupt ends a run with a hint")
  func interrupt() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let pipe = Pipe()
    let process = Process()
    process.executableURL = CommandLineTool.executable
    process.arguments = ["run", recipe, "-o", folder.path + "/run"]
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    // The handler is set before the first line of progress.
    var text = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
    process.interrupt()
    text += String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    // A fast machine may be done first.
    if process.terminationStatus != 0 {
      #expect(process.terminationStatus == 130)
      #expect(text.contains("interrupted; run the same command again"))
    }
    #expect(try runs().status == 0)
  }
}
