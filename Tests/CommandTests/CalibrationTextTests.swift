import Foundation
import TestSupport
import Testing

@Suite("Calibration in recipes")
struct CalibrationTextTests {
  private let tiny: TinyModel
  private let folder: URL

  init() throws {
    tiny = try TinyModel()
    folder = FileManager.default.temporaryDirectory.appending(path: "calibration-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Writes a recipe with one calibrated stage on a text of so many letters, and returns its path.
  private func recipe(
    _ name: String,
    _ stage: String,
    options: String = "",
    letters: Int
  ) throws -> String {
    let text = String((0..<letters).map { Character(UnicodeScalar(UInt8(97 + $0 * $0 % 26))) })
    try Data(text.utf8).write(to: folder.appending(path: "text.txt"))
    let url = folder.appending(path: "\(name).yaml")
    try Data(
      """
      model: \(tiny.url.path)
      cache: shared
      stages:
        - \(stage):
            calibration: { text: text.txt, sequences: 8, length: 32 }
            \(options)
        - export.compressed_tensors: { path: codes }

      """.utf8
    ).write(to: url)
    return url.path
  }

  @Test(
    "a text that fills no sequence is found before anything runs, at its place",
    arguments: ["quantize.gptq", "quantize.awq", "prune.wanda", "prune.sparsegpt"]
  )
  func tooShort(stage: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let recipe = try recipe("short", stage, letters: 5)
    for command in ["check", "plan", "run"] {
      let outcome = try CommandLineTool.run(command, recipe)
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("\(recipe):5:28: error: "), "\(outcome.errors)")
      #expect(outcome.errors.contains("which fill no sequence of 32"), "\(outcome.errors)")
    }
  }

  @Test("a stage that calls the text otherwise names its own option")
  func scan() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    _ = try recipe("scan", "prune.scan", letters: 5)
    let path = folder.path + "/flat.yaml"
    let text = """
      model: \(tiny.url.path)
      stages:
        - prune.scan: { text: text.txt, length: 32 }

      """
    try Data(text.utf8).write(to: URL(filePath: path))
    let outcome = try CommandLineTool.run("check", path)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("\(path):3:25: error: "), "\(outcome.errors)")
  }

  @Test("a text that is shorter than asked for, or than unknowns need, is warned of with counts")
  func shorter() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let options = "group_size: 32"
    let short = try recipe("shorter", "quantize.gptq", options: options, letters: 60)
    let check = try CommandLineTool.run("check", short)
    #expect(check.status == 0, "\(check.errors)")
    for text in [
      "\(short):5:28: warning: ", "of the 8 sequences of 32", "are few to tell 96 inputs",
    ] {
      #expect(check.errors.contains(text), "\(check.errors)")
    }
    let run = try CommandLineTool.run("run", short, "-o", folder.path + "/run")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("are few to tell 96 inputs"), "\(run.errors)")
    let long = try recipe("long", "quantize.gptq", options: options, letters: 4000)
    let fine = try CommandLineTool.run("check", long)
    #expect(fine.status == 0)
    #expect(!fine.errors.contains("sequences of 32"), "\(fine.errors)")
  }

  @Test("a cache that nothing can be kept in is found before anything runs")
  func unusableCache() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let recipe = try recipe("unusable", "prune.wanda", letters: 4000)
    try Data().write(to: folder.appending(path: "shared"))
    let outcome = try CommandLineTool.run("check", recipe)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("\(recipe):2:8: error: "), "\(outcome.errors)")
    #expect(outcome.errors.contains("shared is a file, not a folder"), "\(outcome.errors)")
  }

  @Test("what is known of inputs serves other recipes that name the same folder")
  func sharedCache() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var log: [String] = []
    for (name, cache) in [("first", "shared"), ("second", "shared"), ("third", "other")] {
      let bits = name == "first" ? 8 : 4
      let path = try recipe(
        name,
        "quantize.gptq",
        options: "bits: \(bits)\n      group_size: 32",
        letters: 4000
      )
      let outcome = try CommandLineTool.run(
        "run",
        path,
        "-o",
        "\(folder.path)/\(name)",
        "--set",
        "cache=\(cache)",
        "--set",
        "stages.0.calibration.inputs=original"
      )
      #expect(outcome.status == 0, "\(outcome.errors)")
      log.append(try String(contentsOfFile: "\(folder.path)/\(name)/log.txt", encoding: .utf8))
    }
    let reused = "what is known of inputs was kept by an earlier run"
    #expect(log.map { $0.contains(reused) } == [false, true, false])
    func weights(_ name: String) throws -> Data {
      try Data(contentsOf: folder.appending(path: "\(name)/codes/model.safetensors"))
    }
    #expect(try weights("second") == weights("third"))
    #expect(try weights("first") != weights("second"))
  }
}
