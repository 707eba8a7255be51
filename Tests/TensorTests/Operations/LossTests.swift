import Tensor
import TestSupport
import Testing

@Suite("Losses")
struct LossTests {
  private let logits = Parameter("logits", Tensor([1, 2, 3, 6, 5, 4] as [Float], shape: [2, 3]))

  @Test("cross-entropy is 0 with zero gradient where no row counts")
  func nothingCounts() {
    let (value, gradients) = differentiate([logits]) {
      logits.value.crossEntropy(targets: [-1, -1])
    }
    #expect(value.scalar == 0)
    #expect(gradients[logits]?.numbers == [0, 0, 0, 0, 0, 0])
  }

  @Test("weights of rows are relative, and a row that does not count may hold anything")
  func weights() {
    let clean = logits.value.crossEntropy(targets: [2, 0], weights: [3, 0])
    let spoiled = Tensor([1, 2, 3, .nan, 5, 4] as [Float], shape: [2, 3])
    #expect(clean.scalar == logits.value.rows(0..<1).crossEntropy(targets: [2]).scalar)
    #expect(clean.scalar == spoiled.crossEntropy(targets: [2, -1]).scalar)
    #expect(clean.scalar == spoiled.crossEntropy(targets: [2, 0], weights: [1, 0]).scalar)
  }

  @Test("cross-entropy of large logits does not overflow")
  func largeLogits() {
    let loss = Tensor([1e4, -1e4] as [Float], shape: [1, 2]).crossEntropy(targets: [1])
    #expect(loss.scalar == 2e4)
  }

  @Test("divergence is 0 from itself, and tokens that both exclude do not count")
  func divergence() {
    let x = logits.value
    #expect(abs(x.klDivergence(from: x, temperature: 3).scalar) < 1e-7)
    let excluded = Tensor([1, 2, -.infinity] as [Float], shape: [1, 3])
    let other = Tensor([2, 1, -.infinity] as [Float], shape: [1, 3])
    let short = Tensor([1, 2] as [Float], shape: [1, 2])
    let expected = short.klDivergence(from: Tensor([2, 1] as [Float], shape: [1, 2])).scalar
    #expect(expected > 0.1)
    #expect(abs(excluded.klDivergence(from: other).scalar - expected) < 1e-6)
  }

  @Test("the cosine with a zero row is 0, with zero gradient")
  func zeroRow() {
    let zero = Parameter("zero", Tensor(zeros: [1, 3]))
    let (value, gradients) = differentiate([zero]) {
      zero.value.cosineSimilarity(logits.value.rows(0..<1)).summed()
    }
    #expect(value.scalar == 0)
    #expect(gradients[zero]?.numbers == [0, 0, 0])
  }
}
