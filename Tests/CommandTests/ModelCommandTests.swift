import Checkpoints
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Commands on models")
struct ModelCommandTests {
  private let tiny: TinyModel
  private var model: String { tiny.url.path }

  init() throws { tiny = try TinyModel() }

  @Test("evaluate prints a table, or JSON with every number")
  func evaluate() throws {
    let table = try CommandLineTool.run("evaluate", model, "--context", "64", "--tokens", "640")
    #expect(table.status == 0)
    #expect(table.output.contains("perplexity") && table.output.contains("bits per weight"))
    #expect(table.output.contains("10 windows of 64 tokens, 630 predictions (windows)"))
    let json = try CommandLineTool.run(
      "evaluate",
      model,
      "--context",
      "64",
      "--tokens",
      "640",
      "--reference",
      model,
      "--json"
    )
    let report = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
    let metrics = try #require(report["metrics"])
    #expect(metrics["kl_mean"]?.number == 0 && metrics["top1_agreement"]?.number == 1)
    #expect(metrics["evaluated_tokens"]?.integer == 630)
    #expect(report["protocol"]?.string == "windows" && report["windows"]?.integer == 10)
    for key in ["perplexity", "loss_standard_error", "size_bytes", "bits_per_weight", "peak_bytes"]
    {
      #expect(try #require(metrics[key]?.number) > 0, "\(key)")
    }
  }

  @Test("evaluate keeps what a reference says, and compares with it where there is none any more")
  func evaluateWithCache() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "evaluate-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, cache) = (folder.path + "/small.gguf", folder.path + "/kept")
    #expect(try CommandLineTool.run("convert", model, file, "--type", "q4_0").status == 0)
    func evaluate(_ more: String...) throws -> CommandLineTool.Outcome {
      try CommandLineTool.run(
        ["evaluate", file, "--context", "64", "--tokens", "640", "--json"] + more
      )
    }
    func metrics(_ outcome: CommandLineTool.Outcome) throws -> JSONValue {
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
      return try #require(report["metrics"])
    }
    let exact = try metrics(evaluate("--reference", model))
    let kept = try metrics(evaluate("--reference", model, "--cache", cache, "--top-k", "8"))
    let alone = try metrics(evaluate("--cache", cache))
    let bound = try #require(kept["kl_lower_bound"]?.number)
    let divergence = try #require(exact["kl_mean"]?.number)
    #expect(bound > 0 && bound <= divergence)
    #expect(alone["kl_lower_bound"]?.number == bound)
    #expect(alone["top1_agreement"]?.number == exact["top1_agreement"]?.number)

    let useless = try evaluate("--cache", cache, "--top-k", "8")
    #expect(useless.status == 2 && useless.errors.contains("--top-k"))
    let other = try evaluate("--cache", cache, "--text", "builtin:calibration")
    #expect(other.status == 2 && other.errors.contains(cache))
    let absent = try evaluate("--cache", folder.path + "/absent")
    #expect(absent.status == 2 && absent.errors.contains("absent"))
  }

  @Test("generate prints the text to standard output and the speed to standard error")
  func generate() throws {
    let first = try CommandLineTool.run("generate", model, "--prompt", "on the", "--count", "12")
    #expect(first.status == 0 && first.output.hasPrefix("on the"))
    #expect(first.errors.contains("tokens/s"))
    let second = try CommandLineTool.run("generate", model, "--prompt", "on the", "--count", "12")
    #expect(second.output == first.output)
    func sampled(_ seed: String) throws -> String {
      try CommandLineTool.run(
        "generate",
        model,
        "--prompt",
        "on the",
        "--count",
        "40",
        "--temperature",
        "3",
        "--seed",
        seed
      ).output
    }
    #expect(try sampled("1") == sampled("1"))
    #expect(try sampled("1") != sampled("2"))
  }

  @Test("tokenize turns text into ids and ids into text")
  func tokenize() throws {
    let ids = try CommandLineTool.run("tokenize", model, "--text", "the naïve")
    #expect(ids.status == 0)
    let numbers = ids.output.split { $0.isWhitespace }.joined(separator: ",")
    let text = try CommandLineTool.run("tokenize", model, "--decode", numbers)
    #expect(text.output == "the naïve\n")
    let piped = try CommandLineTool.run("tokenize", model, input: "the naïve")
    #expect(piped.output == ids.output)
    let json = try CommandLineTool.run("tokenize", model, "--text", "the", "--json")
    let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
    #expect(value["tokens"]?.array == [.string("the")])
  }

  @Test("logits writes what the model computes")
  func logits() throws {
    let output = tiny.url.appending(path: "logits.safetensors")
    let run = try CommandLineTool.run(
      "logits",
      model,
      "--tokens",
      "5,6,7,8",
      "--output",
      output.path
    )
    #expect(run.status == 0)
    let written = try SafetensorsFile(path: output.path).tensor("logits")
    let loaded = try tiny.load()
    let expected = loaded.logits(loaded.hidden([[5, 6, 7, 8]]))
    #expect(written.shape == [4, loaded.configuration.vocabularySize])
    let (a, b) = (written.elements(as: Float.self), expected.elements(as: Float.self))
    #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 })
  }

  @Test("inspect shows architecture, formats and tensors, of unsupported models too")
  func inspect() throws {
    let shown = try CommandLineTool.run("inspect", model)
    #expect(shown.status == 0)
    #expect(shown.output.contains("llama: 2 layers, width 64"))
    #expect(shown.output.contains("model.layers.*.mlp.down_proj.weight"))
    let config = tiny.url.appending(path: "config.json")
    try Data(#"{"model_type": "mystery"}"#.utf8).write(to: config, options: .atomic)
    let other = try CommandLineTool.run("inspect", model, "--tensors")
    #expect(other.status == 0)
    #expect(other.output.contains("mystery") && other.output.contains("supported types are"))
    #expect(other.output.contains("model.layers.1.mlp.down_proj.weight"))
    let json = try CommandLineTool.run("inspect", model, "--json")
    let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
    #expect(value["architecture"] == nil)
    #expect(value["formats"]?.array?.first?["type"]?.string == "float32")
  }

  @Test("a huge file is inspected in no time and little memory")
  func hugeFile() throws {
    // 10 GB of zeros that take no room on the disk.
    let count = 2_500_000_000
    var header = Array(
      #"{"w":{"dtype":"F32","shape":[\#(count / 1000),1000],"data_offsets":[0,\#(4 * count)]}}"#
        .utf8
    )
    while header.count % 8 != 0 { header.append(0x20) }
    let url = tiny.url.appending(path: "huge.safetensors")
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    try Data(length + header).write(to: url)
    let file = try FileHandle(forWritingTo: url)
    try file.truncate(atOffset: UInt64(8 + header.count + 4 * count))
    try file.close()
    let start = ContinuousClock.now
    let shown = try CommandLineTool.run("inspect", url.path)
    #expect(shown.status == 0 && shown.output.contains("10.00 GB"))
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test(
    "bad input ends with status 2 and says what is wrong",
    arguments: [
      (["evaluate", "MODEL", "--protocol", "wikitext"], "no protocol “wikitext”"),
      (["evaluate", "MODEL", "--text", "absent.txt"], "there is no such file"),
      (["evaluate", "MODEL", "--text", "builtin:none"], "builtin:evaluation"),
      (["evaluate", "MODEL", "--context", "100000"], "do not fill one window"),
      (["evaluate", "MODEL", "--context", "1"], "at least 2 tokens"),
      (["evaluate", "absent/model"], "absent/model"),
      (["generate", "MODEL", "--prompt", ""], "prompt is empty"),
      (["generate", "MODEL", "--prompt", "a", "--count", "0"], "--count 0"),
      (["generate", "MODEL", "--prompt", "a", "--count", "500"], "context"),
      (["generate", "MODEL", "--prompt", "a", "--top-p", "2"], "--top-p"),
      (["tokenize", "MODEL", "--decode", "1,x"], "“x” is not a token id"),
      (["tokenize", "MODEL", "--text", "a", "--decode", "1"], "exclude each other"),
      (["logits", "MODEL", "--tokens", "264", "--output", "/tmp/never"], "0 to 263"),
      (["logits", "MODEL", "--tokens", " ", "--output", "/tmp/never"], "no token ids"),
      (["inspect", "absent.gguf"], "absent.gguf"),
    ] as [([String], String)]
  )
  func badInput(arguments: [String], words: String) throws {
    let outcome = try CommandLineTool.run(arguments.map { $0 == "MODEL" ? model : $0 })
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(words), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }
}
