import Tensor
import TestSupport
import Testing

@Suite("Causal attention")
struct AttentionTests {
  struct Case: Sendable {
    var batch = 1
    var tokens: Int
    var start = 0
    var spare = 0
    var heads = 4
    var keyHeads = 2
    var channels = 16
    var window: Int?
    /// The lengths of the documents that each sequence is packed from.
    var documents: [Int]?
  }

  @Test(
    "equals the plain softmax over what each query sees",
    arguments: [
      Case(tokens: 1), Case(tokens: 2), Case(tokens: 1, start: 100), Case(tokens: 17, start: 5),
      Case(batch: 2, tokens: 70, heads: 9, keyHeads: 3, channels: 64),
      Case(tokens: 130, start: 3, spare: 4, heads: 3, keyHeads: 1, channels: 20),
      Case(tokens: 200, heads: 2, keyHeads: 2, window: 10),
      Case(tokens: 90, start: 60, heads: 2, keyHeads: 1, channels: 7, window: 65),
      Case(tokens: 1, start: 80, heads: 6, keyHeads: 2, channels: 33, window: 20),
      Case(batch: 3, tokens: 1, start: 9, spare: 2, channels: 5),
      Case(tokens: 65, window: 1),
      Case(batch: 2, tokens: 1, documents: [1]),
      Case(batch: 2, tokens: 150, heads: 6, documents: [1, 70, 79]),
      Case(tokens: 160, heads: 3, keyHeads: 1, channels: 20, window: 30, documents: [64, 64, 32]),
    ]
  )
  func plain(_ given: Case) {
    var random = Random(seed: UInt64(given.tokens))
    let keyShape = Shape([
      given.batch, given.start + given.tokens + given.spare, given.keyHeads, given.channels,
    ])
    let queryShape = Shape([given.batch, given.tokens, given.heads, given.channels])
    let scale = 1.7 / Double(given.channels).squareRoot()
    let starts = given.documents.map { lengths in
      (0..<given.batch).flatMap { _ in documentStarts(lengths) }
    }
    for (dtype, budget) in [(DType.float32, 1e-5), (.float64, 1e-13)] {
      let q = random.normal(queryShape, dtype: dtype)
      let k = random.normal(keyShape, dtype: dtype)
      let v = random.normal(keyShape, dtype: dtype)
      let y = q.causalAttention(
        keys: k,
        values: v,
        start: given.start,
        scale: scale,
        window: given.window,
        documentStarts: starts
      )
      let expected = Reference.attention(
        q,
        k,
        v,
        start: given.start,
        scale: scale,
        window: given.window,
        documentStarts: starts
      )
      #expect(difference(y.numbers, expected, relative: budget, absolute: budget) == nil)
    }
  }

  @Test("stays finite for scores of any size")
  func large() {
    var random = Random(seed: 1)
    let q = random.normal([1, 60, 2, 16], deviation: 100)
    let (k, v) = (random.normal([1, 60, 1, 16], deviation: 100), random.normal([1, 60, 1, 16]))
    let y = q.causalAttention(keys: k, values: v, scale: 1)
    let expected = Reference.attention(q, k, v, start: 0, scale: 1, window: nil)
    #expect(difference(y.numbers, expected, absolute: 5e-3) == nil)
  }

  @Test("token by token equals all tokens at once")
  func decoding() {
    var random = Random(seed: 2)
    let q = random.normal([1, 40, 6, 32])
    let (k, v) = (random.normal([1, 40, 3, 32]), random.normal([1, 40, 3, 32]))
    let whole = q.causalAttention(keys: k, values: v).reshaped([40, 192])
    for token in [0, 1, 17, 39] {
      let one = q.reshaped([40, 192]).rows(token..<token + 1).reshaped([1, 1, 6, 32])
      let y = one.causalAttention(keys: k, values: v, start: token).reshaped([1, 192])
      #expect(difference(y, whole.rows(token..<token + 1), absolute: 2e-6) == nil)
    }
  }
}
