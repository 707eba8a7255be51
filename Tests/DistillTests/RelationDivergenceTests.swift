import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@testable import Datasets
@testable import Distill

@Suite("Relations in attention")
struct RelationDivergenceTests {
  let golden: Golden
  let targets: [Int32]
  let starts: [Int32]

  init() throws {
    golden = try Golden("distillation.safetensors")
    targets = golden["relations.targets"].elements(as: Int32.self)
    starts = golden["relations.starts"].elements(as: Int32.self)
  }

  private func divergence(_ heads: Int = 4) -> RelationDivergence {
    RelationDivergence(heads: heads, targets: targets, rows: 2, documentStarts: starts)
  }

  @Test("are as far from the teacher's as torch finds, and so is the gradient")
  func values() {
    let states = Parameter("states", golden["relations.student"])
    let teacher = golden["relations.teacher"]
    let (value, gradients) = differentiate([states]) {
      divergence().mean(states.value, from: teacher)
    }
    let expected = golden["relations.value"].numbers[0]
    #expect(abs(value.scalar / expected - 1) < 1e-12)
    let gradient = golden["relations.gradient"]
    let largest = gradient.numbers.map(abs).max() ?? 0
    #expect(
      difference(gradients[states]?.numbers ?? [], gradient.numbers, absolute: 1e-12 * largest)
        == nil
    )
  }

  @Test("in float32 are as in float64 to rounding")
  func single() {
    let states = Parameter("states", golden["relations.student"].converted(to: .float32))
    let teacher = golden["relations.teacher"].converted(to: .float32)
    let (value, gradients) = differentiate([states]) {
      divergence().mean(states.value, from: teacher)
    }
    #expect(abs(value.scalar / golden["relations.value"].numbers[0] - 1) < 1e-5)
    let gradient = golden["relations.gradient"].numbers
    let largest = gradient.map(abs).max() ?? 0
    #expect(
      difference(gradients[states]?.numbers ?? [], gradient, absolute: 1e-5 * largest) == nil
    )
  }

  @Test("of a model with itself are equal, and no gradient moves it", arguments: [1, 2, 4, 8])
  func itself(heads: Int) {
    for dtype in [DType.float32, .float64] {
      let states = Parameter("states", golden["relations.student"].converted(to: dtype))
      let (value, gradients) = differentiate([states]) {
        divergence(heads).mean(states.value, from: states.value.detached)
      }
      #expect(value.scalar == 0)
      #expect(gradients[states]?.numbers.allSatisfy { $0 == 0 } == true)
    }
  }

  @Test("see nothing after a position and nothing of another document")
  func causal() {
    // Only position 45 of the first row counts, whose document begins at 40.
    var one = [Int32](repeating: -1, count: 300)
    one[45] = 1
    let states = Parameter("states", golden["relations.student"])
    let (value, gradients) = differentiate([states]) {
      RelationDivergence(heads: 4, targets: one, rows: 2, documentStarts: starts)
        .mean(states.value, from: golden["relations.teacher"])
    }
    #expect(value.scalar > 0)
    let numbers = gradients[states]?.numbers ?? []
    let moved = (0..<300).filter { row in numbers[row * 8..<row * 8 + 8].contains { $0 != 0 } }
    #expect(moved == Array(40...45))
    let none = RelationDivergence(heads: 4, targets: one.map { _ in -1 }, rows: 2)
    #expect(none.mean(states.value, from: golden["relations.teacher"]).scalar == 0)
  }

  @Test("take as many heads as leave 16 channels, and heads that divide all widths")
  func heads() throws {
    let folder = DistillationGoldenTests.folder
    let small = try ModelLoader.load(folder.appending(path: "llama-grouped")).configuration
    let large = try ModelLoader.load(folder.appending(path: "llama-head-size")).configuration
    var options = RelationOptions()
    // Keys have 16 and 24 channels, queries 32 and 48.
    #expect(options.headCount(student: small, teacher: large) == 1)
    options.of = [.queries]
    #expect(options.headCount(student: small, teacher: large) == 2)
    #expect(options.check(student: small, teacher: large).isEmpty)
    options.heads = 16
    #expect(options.check(student: small, teacher: large).isEmpty)
    options.heads = 32
    (options.studentLayer, options.teacherLayer) = (2, 1)
    let problems = options.check(student: small, teacher: large)
    #expect(problems.map(\.option) == ["relations.student_layer", "relations.heads"])
    #expect(problems.last?.message.contains("2 would fit") == true)
    options.of = [.keys, .keys]
    #expect(options.problems().map(\.option) == ["of"])
    options.of = []
    #expect(options.problems().map(\.option) == ["of"])
  }

  @Test("the vectors are those that attention turns and compares")
  func vectors() throws {
    let folder = DistillationGoldenTests.folder
    for name in ["llama-grouped", "qwen3"] {
      let model = try ModelLoader.load(folder.appending(path: name))
      let tokens: [Int32] = [3, 9, 4, 7, 5, 6]
      var streams: [Int: Tensor] = [:]
      _ = model.trainingHidden(tokens, rows: 2, documentStarts: nil, recomputation: .none) {
        streams[$0] = $1
      }
      let stream = try #require(streams[0])
      let vectors = model.attentionVectors(ofBlock: 1, from: stream)
      let sizes = model.configuration
      #expect(vectors.queries.shape == [6, sizes.queryHeads * sizes.headSize])
      // Attention of one position hands its value on.
      let steps = model.steps(ofBlock: 1, positions: 3)
      let mixed = steps.mixed(steps.attentionInput(stream))  // [2, 3, H · C]
      let first = mixed.elements(as: Float.self).prefix(sizes.headSize)
      #expect(Array(first) == Array(vectors.values.elements(as: Float.self).prefix(sizes.headSize)))
      guard let norm = model.blocks[1].attention.queryNorm else { continue }
      let plain = model.blocks[1].attention.query(steps.attentionInput(stream))
      let expected = norm(plain.reshaped([6 * sizes.queryHeads, sizes.headSize]))
      #expect(expected.elements(as: Float.self) == vectors.queries.elements(as: Float.self))
    }
  }
}
