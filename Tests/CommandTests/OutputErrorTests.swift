import Checkpoints
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Output that cannot be written, and text that must not be shown as it is")
struct OutputErrorTests {
  private let tiny: TinyModel
  private var model: String { tiny.url.path }

  init() throws { tiny = try TinyModel() }

  /// Runs a line of shell in which `"$TOOL"` is the command and `"$MODEL"` a model.
  private func shell(_ line: String) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-o", "pipefail", "-c", line]
    process.environment = [
      "TOOL": CommandLineTool.executable.path, "MODEL": model,
      "LD_LIBRARY_PATH": ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"] ?? "",
    ]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let errors = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: errors, as: UTF8.self))
  }

  @Test(
    "a full disk behind standard output is status 1",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
    arguments: ["generate \"$MODEL\" --prompt a --count 3", "inspect \"$MODEL\"", "describe"]
  )
  func full(arguments: String) throws {
    let outcome = try shell("\"$TOOL\" \(arguments) > /dev/full")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("standard output"), "\(outcome.errors)")
  }

  @Test(
    "a full disk behind standard error changes nothing",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))
  )
  func fullErrors() throws {
    let made = try shell("\"$TOOL\" generate \"$MODEL\" --prompt a --count 3 2> /dev/full")
    #expect(made.status == 0)
    #expect(try shell("\"$TOOL\" inspect absent 2> /dev/full").status == 2)
  }

  @Test("a reader that leaves ends the command quietly")
  func brokenPipe() throws {
    let outcome = try shell("\"$TOOL\" generate \"$MODEL\" --prompt a --count 120 | head -c 1")
    #expect(outcome.status == 0 || outcome.status == 128 + SIGPIPE)
    #expect(!outcome.errors.contains("rror"), "\(outcome.errors)")
  }

  @Test("a file that cannot be written is status 1")
  func unwritable() throws {
    let outcome = try CommandLineTool.run(
      "logits",
      model,
      "--tokens",
      "5,6",
      "--output",
      "/proc/none/logits.safetensors"
    )
    #expect(outcome.status == 1, "\(outcome.errors)")
  }

  @Test("names from files cannot control the terminal")
  func controlCharacters() throws {
    let outcome = try CommandLineTool.run("inspect", "absent\u{1B}[2J\r.gguf")
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("absent·[2J·.gguf"), "\(outcome.errors)")
  }

  @Test("a model that computes no numbers stops `generate` with status 1")
  func notFinite() throws {
    let copy = tiny.result("broken")
    let loaded = try tiny.load()
    let embedding = loaded.embedding
    let broken = [Float](repeating: .nan, count: embedding.rows * embedding.columns)
    embedding.weight = DenseWeight(Tensor(broken, shape: [embedding.rows, embedding.columns]))
    try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
    try ModelWriter(loaded, to: copy).finish()
    for options in [[], ["--temperature", "1"]] {
      let outcome = try CommandLineTool.run(
        ["generate", copy.path, "--prompt", "a", "--count", "4"] + options
      )
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("not finite"), "\(outcome.errors)")
    }
  }
}
