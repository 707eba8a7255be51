import Foundation
import Pipeline
import Synchronization

let testRegistry = StageRegistry(
  stages: [SampleStage.self, ScaleStage.self, DumpStage.self] + pipelineStages
)

/// A folder that is removed at the end.
struct TemporaryFolder: ~Copyable {
  let url: URL

  init() throws {
    url = URL(filePath: NSTemporaryDirectory()).appending(path: "slm-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// The folder of a small model with two blocks and random weights.
var tinyModel: URL {
  URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/models/llama-3")
}

/// Reads a recipe from text, with paths that start in the tests' model folder.
func recipe(_ text: String, _ overrides: [String] = []) throws -> RecipeFile {
  try RecipeFile(
    text: text,
    name: "test.yaml",
    folder: tinyModel.deletingLastPathComponent(),
    overrides: overrides.map { try RecipeOverride($0) },
    registry: testRegistry
  )
}

/// The problems of a recipe as the user sees them; empty if it has none.
func problems(_ text: String, _ overrides: [String] = [], plans: Bool = false) throws -> String {
  do {
    let file = try recipe(text, overrides)
    if plans { _ = try file.plan(evaluator: FakeEvaluator()) }
    return ""
  } catch let error as RecipeProblems {
    return error.description
  }
}

/// Keeps all events of a run.
final class EventLog: RunListener {
  private let state = Mutex([RunEvent]())

  func receive(_ event: RunEvent) { state.withLock { $0.append(event) } }

  var events: [RunEvent] { state.withLock { $0 } }

  /// The titles of what was skipped.
  var skipped: [String] {
    events.compactMap { if case .skipped(_, _, let title, _) = $0 { title } else { nil } }
  }

  /// The titles of what was begun.
  var begun: [String] {
    events.compactMap { if case .began(_, _, let title) = $0 { title } else { nil } }
  }

  /// The titles of what was measured, the baseline not counted.
  var measured: [String] {
    events.compactMap { if case .measuring(let title) = $0 { title } else { nil } }
  }

  var notes: [String] {
    events.compactMap { if case .note(let text) = $0 { text } else { nil } }
  }
}
