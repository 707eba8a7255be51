import Calibrate
import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

/// Runs `quantize.allocate` on a tiny model, and exports the result as the runner does.
struct AllocationFixture {
  let tiny: TinyModel

  init(_ variant: TinyModel.Variant = .init(), blocks: Int = 2) throws {
    tiny = try TinyModel(variant, blocks: blocks)
  }

  /// Options with a budget for a kind of file, and a short text.
  static func options(_ size: Int? = nil, file: AllocationFile = .gguf) -> AllocateOptions {
    var options = AllocateOptions()
    options.file = file
    options.size = size.map { ByteSize($0) }
    options.calibration.sequences = 6
    options.calibration.length = 64
    return options
  }

  func context(
    _ work: String,
    listener: any RunListener = SilentListener()
  ) throws -> StageContext {
    let folder = tiny.result(work)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return StageContext(
      modelFolder: tiny.url,
      seed: 1,
      folder: folder,
      cacheFolder: tiny.result("cache"),
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: folder),
      listener: listener
    )
  }

  func setting(_ model: LanguageModel) -> StageSetting {
    StageSetting(
      baseline: model,
      paths: RecipePaths(recipeFolder: tiny.url),
      readsBaseline: true
    )
  }

  /// The range of budgets that a refusal names.
  func range(_ options: AllocateOptions = options()) throws -> (smallest: Int, largest: Int) {
    var options = options
    options.size = ByteSize(1)
    let model = try tiny.load()
    let problems = AllocateStage(options)
      .checkInputs(ModelPromise(model.outline), setting(model))
    let message = try #require(problems.first?.message)
    #expect(problems.map(\.option) == ["size"])
    let match = try #require(message.firstMatch(of: /from ([0-9]+) bytes.* to ([0-9]+) bytes/))
    return (try #require(Int(match.1)), try #require(Int(match.2)))
  }

  /// What a run leaves.
  struct Result {
    let report: StageReport
    /// The model as it is read from the run directory.
    let model: LanguageModel
    /// The export.
    let url: URL

    /// The bytes of the weight file.
    var file: Data {
      get throws {
        let weights = url.appending(path: "model.safetensors")
        let isFolder = FileManager.default.fileExists(atPath: weights.path)
        return try Data(contentsOf: isFolder ? weights : url)
      }
    }
  }

  /// Runs the stage, exports the result from a folder as the runner does, and compares what was
  /// written with the model.
  func run(
    _ options: AllocateOptions,
    _ work: String,
    findsSensitivities: Bool? = nil
  ) throws -> Result {
    let model = try tiny.load()
    let log = NoteLog()
    let context = try context(work, listener: log)
    let report = try AllocateStage(options).run(model, context)
    if let findsSensitivities {
      #expect(log.text.contains("known from an earlier run") == findsSensitivities)
    }
    let checkpoint = context.folder.appending(path: "checkpoint")
    try FileManager.default.createDirectory(at: checkpoint, withIntermediateDirectories: true)
    try ModelWriter(model, to: checkpoint).finish()
    let back = try ModelLoader.load(checkpoint)
    let isFile = options.file == .gguf
    let url = context.folder.appending(path: isFile ? "model.gguf" : "exported")
    let format: any ExportFormat =
      switch options.file {
      case .gguf: GGUFFormat(type: .lossless)
      case .compressedTensors: CompressedTensorsFormat()
      case .mlx: MLXFormat()
      }
    #expect(format.plan(ModelPromise(back.outline)).problems.isEmpty)
    _ = try format.write(back, to: url) { _, _ in }
    try format.verify(url, against: back)
    return Result(report: report, model: back, url: url)
  }
}
