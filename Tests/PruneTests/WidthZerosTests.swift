import Calibrate
import Models
import Pipeline
import Sparsity
import TestSupport
import Testing

@testable import Prune

@Suite("what prune.width leaves of zeros")
struct WidthZerosTests {
  /// What is promised, and noted, of a model pruned to 2 of 4 that becomes narrower.
  private func narrowed(
    _ change: (inout WidthOptions) -> Void
  ) throws -> (promise: ModelPromise, notes: [String]) {
    var sparse = MagnitudeOptions()
    sparse.zeros.pattern = .groups(nonzero: 2, of: 4)
    var options = WidthOptions()
    options.calibration.sequences = 4
    options.calibration.length = 32
    options.multiple = 16
    change(&options)
    var promise = ModelPromise(try TinyModel().load().outline)
    #expect(MagnitudeStage(sparse).check(&promise).isEmpty)
    let stage = WidthStage(options)
    let notes = stage.plan(promise).notes
    #expect(stage.check(&promise).isEmpty)
    return (promise, notes)
  }

  @Test("projections that are refitted lose them, others keep them with their pattern")
  func refitted() throws {
    let (promise, notes) = try narrowed { $0.feedForward = .count(64) }
    let down = try #require(promise["model.layers.1.mlp.down_proj"])
    #expect(down.sparsity == 0 && down.zeroPattern == nil)
    for name in ["mlp.up_proj", "self_attn.o_proj", "self_attn.q_proj"] {
      let kept = try #require(promise["model.layers.1.\(name)"])
      #expect(kept.sparsity == 0.5)
      #expect(kept.zeroPattern == ModelPromise.ZeroPattern(zeros: 2, groupSize: 4))
    }
    let note = try #require(notes.first { $0.contains("zeros") })
    #expect(note.contains("2 matrices such as `model.layers.0.mlp.down_proj` are lost"))
    #expect(notes.count { $0.contains("zeros") } == 1)
  }

  @Test("without refitting zeros stay, but no pattern where columns go")
  func pattern() throws {
    let (promise, notes) = try narrowed {
      $0.parametersAtMost = ParameterCount(60_000)
      $0.compensate = false
    }
    for name in ["mlp.down_proj", "self_attn.o_proj"] {
      let part = try #require(promise["model.layers.0.\(name)"])
      #expect(part.sparsity == 0.5 && part.zeroPattern == nil)
    }
    let note = try #require(notes.first { $0.contains("pattern") })
    #expect(note.contains("4 matrices") && !notes.contains { $0.contains("are lost") })
  }
}
