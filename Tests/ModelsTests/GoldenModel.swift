import Checkpoints
import Foundation
import Models
import Tensor
import Testing

/// A model of Tests/Golden/models with the logits that transformers computes for it.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  let name: String

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/models")

  /// Every model, by name.
  static var all: [GoldenModel] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { !$0.hasPrefix(".") }.sorted().map(GoldenModel.init)
  }

  var url: URL { Self.folder.appending(path: name) }
  var testDescription: String { name }

  func load() throws -> LanguageModel { try ModelLoader.load(url) }

  /// The tokens and the logits, `[T, V]`.
  func expected() throws -> (tokens: [Int32], logits: Tensor) {
    let file = try SafetensorsFile(path: url.appending(path: "expected.safetensors").path)
    let tokens = try file.tensor("tokens")
    return (tokens.elements(as: Int32.self), try file.tensor("logits"))
  }
}

/// The largest difference between two tensors, relative to the second's largest magnitude.
func relativeError(_ a: Tensor, _ b: Tensor) -> Double {
  let (a, b) = (a.elements(as: Float.self), b.elements(as: Float.self))
  guard a.count == b.count else { return .infinity }
  var (difference, scale) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    guard x.isFinite else { return .infinity }
    difference = max(difference, abs(Double(x) - Double(y)))
    scale = max(scale, abs(Double(y)))
  }
  return scale == 0 ? difference : difference / scale
}

/// A folder that is removed with the value that holds it.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "models-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  /// Copies a model's files.
  func copy(_ model: GoldenModel) throws {
    for file in try FileManager.default.contentsOfDirectory(atPath: model.url.path) {
      try FileManager.default.copyItem(
        at: model.url.appending(path: file),
        to: url.appending(path: file)
      )
    }
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// A small generator of random numbers whose sequence never changes.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
