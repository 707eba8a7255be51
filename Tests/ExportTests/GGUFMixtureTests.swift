import Checkpoints
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@testable import Export

@Suite("GGUF mixtures and importance")
struct GGUFMixtureTests {
  static let importance = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/quantize/importance.gguf")

  static let mixtures = GGUFTensorType.allCases.filter { $0.preset != nil }

  @Test("every mixture is written, read and planned", arguments: mixtures)
  func presets(_ type: GGUFTensorType) throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let model = try tiny.load()
    let url = tiny.result("model.gguf")
    let back = try export(model, GGUFFormat(type: type), to: url)
    let preset = try #require(type.preset)
    #expect(try GGUFFile(path: url.path).metadata.integer("general.file_type") == preset.fileType)
    for (linear, stored) in zip(model.matrices, back.matrices) {
      let choice = preset.choice(
        for: linear.name,
        columns: linear.columns,
        in: model.configuration,
        hasImportance: false
      )
      guard case .blocks(let format) = choice.stored else {
        Issue.record("\(linear.name) is \(choice.stored)")
        continue
      }
      #expect(stored.format == .blocks(format))
      // As stored in memory order, whatever order the file has.
      let packed = linear.weight.dense.roundedToBlocks(format)
      let expected = Tensor(blocks: packed, format: format, shape: [linear.rows, linear.columns])
      #expect(
        stored.weight.dense.elements(as: Float.self) == expected.elements(as: Float.self),
        "\(linear.name)"
      )
    }
  }

  @Test("fallbacks for rows that do not fill blocks are noted with their number")
  func notes() throws {
    let model = try TinyModel().load()
    let notes = GGUFFormat(type: .q4_k_s).plan(ModelPromise(model.outline)).notes
    #expect(
      notes.contains(
        "10 matrices, such as `model.layers.0.self_attn.q_proj`, with rows of 64, which blocks of "
          + "256 do not divide, get Q5_0 instead of Q4_K"
      ),
      "\(notes)"
    )
  }

  @Test("importance decides codes, and metadata name its file")
  func importance() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let matrix = try ImportanceMatrix(contentsOf: Self.importance)
    let url = tiny.result("model.gguf")
    let back = try export(
      model,
      GGUFFormat(type: .iq4_nl, importance: matrix, importancePath: "importance.gguf"),
      to: url
    )
    for (linear, stored) in zip(model.linears, back.linears) {
      let weights = matrix[linear.name]?.meanSquares
      #expect((weights == nil) == (linear.name == "model.layers.1.self_attn.k_proj"))
      let packed = linear.weight.dense.roundedToBlocks(.iq4_NL, importance: weights)
      let expected = Tensor(blocks: packed, format: .iq4_NL, shape: [linear.rows, linear.columns])
      #expect(stored.weight.dense.elements(as: Float.self) == expected.elements(as: Float.self))
    }
    let metadata = try GGUFFile(path: url.path).metadata
    #expect(try metadata.string("quantize.imatrix.file") == "importance.gguf")
    #expect(try metadata.string("quantize.imatrix.dataset") == "texts/wiki.txt")
    #expect(try metadata.integer("quantize.imatrix.entries_count") == 13)
    #expect(try metadata.integer("quantize.imatrix.chunks_count") == 3)
  }

  private func stage(_ imatrix: URL) -> GGUFExportStage {
    var options = GGUFExportOptions()
    options.path = ExportPath("model.gguf")
    options.type = .q4_k_m
    options.imatrix = InputPath(imatrix.path)
    return GGUFExportStage(options)
  }

  @Test("an importance matrix of another model is found when the recipe is checked")
  func otherModel() throws {
    let tiny = try TinyModel()
    let promise = ModelPromise(try tiny.load().outline)
    let paths = RecipePaths(recipeFolder: tiny.url)
    #expect(stage(Self.importance).checkFiles(promise, paths).isEmpty)

    var matrix = try ImportanceMatrix(contentsOf: Self.importance)
    let url = tiny.result("other.gguf")
    matrix["model.layers.0.mlp.down_proj"] = .init(
      sumsOfSquares: Tensor([Float](repeating: 1, count: 128)),
      count: 4
    )
    try matrix.write(to: url)
    #expect(
      stage(url).checkFiles(promise, paths) == [
        StageProblem(
          "the importance matrix is of another model: it has 128 columns for "
            + "`model.layers.0.mlp.down_proj`, which has 96",
          option: "imatrix"
        )
      ]
    )
    try ImportanceMatrix(entries: ["other": .init(sumsOfSquares: Tensor([1] as [Float]), count: 1)])
      .write(to: url)
    #expect(stage(url).checkFiles(promise, paths).first?.message.contains("no entry") == true)
    try Data("no matrix".utf8).write(to: url)
    #expect(stage(url).checkFiles(promise, paths).first?.option == "imatrix")
  }
}
