import Foundation
import Models
import Tensor
import Testing

@Suite("Golden models")
struct ArchitectureGoldenTests {
  @Test("the fixtures are there")
  func fixtures() { #expect(GoldenModel.all.count >= 12) }

  @Test("logits equal those of transformers in float32", arguments: GoldenModel.all)
  func logits(golden: GoldenModel) throws {
    let model = try golden.load()
    let (tokens, expected) = try golden.expected()
    let logits = model.logits(model.hidden([tokens]))  // [1, T, V]
    #expect(logits.shape == Shape([1] + expected.shape.dimensions))
    #expect(relativeError(logits.reshaped(expected.shape), expected) <= 1e-5)
  }

  @Test("sequences of a batch do not see each other", arguments: GoldenModel.all)
  func batches(golden: GoldenModel) throws {
    let model = try golden.load()
    let (tokens, _) = try golden.expected()
    let (first, second) = (Array(tokens[0..<12]), Array(tokens[12..<24]))
    let both = model.logits(model.hidden([first, second]))  // [2, T, V]
    let alone = model.logits(model.hidden([second]))  // [1, T, V]
    #expect(relativeError(both.rows(1..<2), alone) <= 1e-5)
  }

  @Test("later tokens do not change earlier logits", arguments: GoldenModel.all)
  func causality(golden: GoldenModel) throws {
    let model = try golden.load()
    let (tokens, _) = try golden.expected()
    var changed = tokens
    changed[20] = (changed[20] + 1) % Int32(model.configuration.vocabularySize)
    let shape: Shape = [tokens.count, model.configuration.hiddenSize]
    let a = model.hidden([tokens]).reshaped(shape)
    let b = model.hidden([changed]).reshaped(shape)
    #expect(relativeError(a.rows(0..<20), b.rows(0..<20)) <= 1e-6)
    #expect(relativeError(a.rows(20..<21), b.rows(20..<21)) > 1e-4)
  }

  @Test("the parameter count is that of the tensors", arguments: GoldenModel.all)
  func parameterCount(golden: GoldenModel) throws {
    let model = try golden.load()
    let parts = model.outline.parts.reduce(0) { $0 + $1.shape.count }
    let biases = model.linears.reduce(0) { $0 + ($1.bias?.count ?? 0) }
    #expect(model.parameterCount == parts + biases)
  }
}
