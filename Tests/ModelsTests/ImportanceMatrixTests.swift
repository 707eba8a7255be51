import Checkpoints
import Foundation
import Models
import Tensor
import Testing

@Suite("Importance matrices")
struct ImportanceMatrixTests {
  static func golden(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/quantize/\(name)")
  }

  @Test(
    "are read from both of llama.cpp's formats",
    arguments: ["importance.gguf", "importance.dat"]
  )
  func reading(_ name: String) throws {
    let matrix = try ImportanceMatrix(contentsOf: Self.golden(name))
    #expect(matrix.entries.count == 13)
    #expect(matrix.chunkCount == 3)
    #expect(matrix.datasets == ["texts/wiki.txt"])
    let entry = try #require(matrix["model.layers.1.mlp.down_proj"])
    #expect(entry.count == (name.hasSuffix("gguf") ? 48 : 3))
    let means = entry.meanSquares.elements(as: Float.self)
    #expect(means.count == 96)
    #expect(means.allSatisfy { $0 >= 0 && $0 < 400 / 64 && ($0 * 64).rounded() == $0 * 64 })
    #expect(Set(means).count > 50)
    #expect(matrix["model.layers.1.self_attn.k_proj"] == nil)
    let other = try ImportanceMatrix(contentsOf: Self.golden("importance.gguf"))
    #expect(
      try #require(other["model.layers.1.mlp.down_proj"]).meanSquares.elements(as: Float.self)
        == means
    )
  }

  @Test("are written as llama-imatrix writes them")
  func writing() throws {
    let matrix = try ImportanceMatrix(contentsOf: Self.golden("importance.gguf"))
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).gguf")
    defer { try? FileManager.default.removeItem(at: url) }
    try matrix.write(to: url)
    #expect(try Data(contentsOf: url) == Data(contentsOf: Self.golden("importance.gguf")))
  }

  @Test("without counted inputs weigh all columns alike")
  func empty() {
    let entry = ImportanceMatrix.Entry(sumsOfSquares: Tensor([0, 0, 0] as [Float]), count: 0)
    #expect(entry.meanSquares.elements(as: Float.self) == [1, 1, 1])
  }

  @Test("that are damaged are errors", arguments: ["importance.gguf", "importance.dat"])
  func damage(_ name: String) throws {
    let data = try Data(contentsOf: Self.golden(name))
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: url) }
    // Cut anywhere but where the optional parts of the older format end.
    for length in stride(from: 0, to: data.count - 40, by: 97) {
      try data.prefix(length).write(to: url)
      #expect(throws: (any Error).self, "\(length) bytes") {
        try ImportanceMatrix(contentsOf: url)
      }
    }
    // A number that is not finite: the last column of the last entry lies before the trailer.
    var bad = [UInt8](data)
    let position = name.hasSuffix("dat") ? data.count - 26 : data.count - 36
    bad[position + 2] = 0x80
    bad[position + 3] = 0x7F
    try Data(bad).write(to: url)
    #expect(throws: (any Error).self) { try ImportanceMatrix(contentsOf: url) }
  }
}
