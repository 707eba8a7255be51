import Calibrate
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Walking back through a model block by block")
struct GradientWalkTests {
  private let sequences: [[Int32]] = (0..<3).map { row in
    (0..<24).map { column in Int32((column * 7 + row * 31) % 250) }
  }

  /// The gradients of each sequence's loss by the parameters of the whole model at once.
  private func atOnce(_ model: LanguageModel, weight: Double) throws -> [(Double, [String: Tensor])]
  {
    let parameters = model.makeTrainable { $0.contains("layers.") || $0 == "model.norm" }
    return try sequences.map { sequence in
      var gradients = Gradients()
      let loss = differentiate(parameters, addingTo: &gradients, weight: weight) {
        model.trainingLoss(sequence, targets: sequence.dropFirst() + [-1], rows: 1)
      }
      let found = try parameters.map { ($0.name, try #require(gradients[$0])) }
      return (loss.sum(), Dictionary(uniqueKeysWithValues: found))
    }
  }

  @Test("gradients are those of the whole model at once", arguments: [1 << 20, 0])
  func gradients(memory: Int) throws {
    let tiny = try TinyModel()
    let expected = try atOnce(tiny.load(), weight: 3)
    let model = try tiny.load()
    let walk = try GradientWalk(
      model,
      sequences,
      memoryByteCount: memory,
      scratch: FileManager.default.temporaryDirectory
    )
    var compared = 0
    func compare(_ parameters: [Parameter], _ sequence: Int, _ gradients: Gradients) throws {
      for parameter in parameters {
        let found = try #require(gradients[parameter])
        let wanted = try #require(expected[sequence].1[parameter.name])
        #expect(difference(found, wanted, relative: 1e-4, absolute: 1e-6) == nil)
        compared += 1
      }
    }
    let norm = model.finalNorm.makeTrainable()
    try walk.walkLoss([norm], weight: 3) { sequence, loss, gradients in
      #expect(abs(loss - expected[sequence].0) < 1e-6)
      try compare([norm], sequence, gradients)
    }
    while let block = walk.nextBlock {
      let parameters =
        block.norms.map { $0.makeTrainable() } + block.linears.flatMap { $0.makeTrainable() }
      try walk.walkBlock(parameters) { try compare(parameters, $0, $1) }
      for linear in block.linears { linear.discardTraining() }
    }
    #expect(compared == sequences.count * expected[0].1.count)
    #expect(model.linears.allSatisfy { !$0.isChanged && $0.parameter == nil })
  }
}
