import Synchronization
import Tensor
import TestSupport
import Testing

@Suite("Gradients of causal attention")
struct AttentionGradientTests {
  /// The result and the gradients by queries, keys and values of its product with `upstream`.
  private static func results(
    _ queries: Tensor,
    _ keys: Tensor,
    _ values: Tensor,
    upstream: Tensor,
    scale: Double? = nil,
    window: Int? = nil,
    documentStarts: [Int32]? = nil
  ) throws -> [Tensor] {
    let parameters = [
      Parameter("queries", queries), Parameter("keys", keys), Parameter("values", values),
    ]
    var result = Tensor(zeros: [0])
    let gradients = differentiate(parameters) {
      let y = parameters[0].value.causalAttention(
        keys: parameters[1].value,
        values: parameters[2].value,
        scale: scale,
        window: window,
        documentStarts: documentStarts
      )
      result = y.detached
      let loss = Tensor([y.detached.dot(upstream)]).reshaped([]).converted(to: y.dtype)
      return loss.recorded("product", [y]) { _, _ in [upstream] }
    }.gradients
    return try [result] + parameters.map { try #require(gradients[$0]) }
  }

  @Test("are those of PyTorch", arguments: ["causal", "documents", "both"])
  func goldens(name: String) throws {
    let golden = try Golden("attention_gradients.safetensors")
    let results = try Self.results(
      golden["queries"],
      golden["keys"],
      golden["values"],
      upstream: golden["upstream"],
      scale: name == "both" ? 0.4 : nil,
      window: name == "both" ? 9 : nil,
      documentStarts: name == "causal" ? nil : golden["starts"].elements(as: Int32.self)
    )
    for (kind, actual) in zip(["result", "queries", "keys", "values"], results) {
      #expect(difference(actual, golden["\(name).\(kind)"], absolute: 4e-6) == nil, "\(kind)")
    }
  }

  struct Extents: Sendable {
    var queries: Shape
    var keyHeads: Int
    var window: Int?
    var documents: [Int]?
  }

  @Test(
    "in tiles are within 3e-6 of the largest in float64",
    arguments: [
      Extents(queries: [1, 300, 9, 64], keyHeads: 3),
      Extents(queries: [2, 257, 4, 64], keyHeads: 4, documents: [100, 3, 154]),
      Extents(queries: [1, 190, 8, 128], keyHeads: 2, window: 64),
      Extents(queries: [3, 145, 3, 40], keyHeads: 1, window: 31, documents: [5, 90, 50]),
    ]
  )
  func tiles(_ extents: Extents) throws {
    var random = Random(seed: 5)
    let (batch, tokens) = (extents.queries[0], extents.queries[1])
    let keyShape: Shape = [batch, tokens, extents.keyHeads, extents.queries[3]]
    let (q, upstream) = (random.normal(extents.queries), random.normal(extents.queries))
    let (k, v) = (random.normal(keyShape), random.normal(keyShape))
    let starts = extents.documents.map { lengths in
      (0..<batch).flatMap { _ in documentStarts(lengths) }
    }
    func results(_ dtype: DType) throws -> [Tensor] {
      try Self.results(
        q.converted(to: dtype),
        k.converted(to: dtype),
        v.converted(to: dtype),
        upstream: upstream.converted(to: dtype),
        window: extents.window,
        documentStarts: starts
      )
    }
    for (single, double) in zip(try results(.float32), try results(.float64)) {
      let tolerance = 3e-6 * double.largestMagnitude()
      #expect(difference(single.converted(to: .float64), double, absolute: tolerance) == nil)
    }
  }

  @Test("of packed documents are those of separate sequences")
  func packing() throws {
    var random = Random(seed: 6)
    let lengths = [37, 1, 64, 20]
    let (queryShape, keyShape): (Shape, Shape) = ([1, 122, 4, 32], [1, 122, 2, 32])
    let (q, upstream) = (random.normal(queryShape), random.normal(queryShape))
    let (k, v) = (random.normal(keyShape), random.normal(keyShape))
    let packed = try Self.results(
      q,
      k,
      v,
      upstream: upstream,
      documentStarts: documentStarts(lengths)
    )
    var start = 0
    for length in lengths {
      func part(_ x: Tensor) -> Tensor {
        x.reshaped([122, x.shape[2] * 32]).rows(start..<start + length)
          .reshaped([1, length, x.shape[2], 32])
      }
      let alone = try Self.results(part(q), part(k), part(v), upstream: part(upstream))
      for (packed, alone) in zip(packed, alone) {
        #expect(difference(part(packed), alone, absolute: 4e-6) == nil, "from \(start)")
      }
      start += length
    }
  }

  @Test("do not depend on how many threads compute")
  func threads() throws {
    var random = Random(seed: 7)
    let (q, upstream) = (random.normal([1, 200, 6, 48]), random.normal([1, 200, 6, 48]))
    let (k, v) = (random.normal([1, 200, 2, 48]), random.normal([1, 200, 2, 48]))
    let together = try Self.results(q, k, v, upstream: upstream)
    let alone = Mutex<[Tensor]>([])
    // Inside of a parallel loop everything runs on one thread.
    parallelRanges(2) { range in
      guard range.contains(0) else { return }
      let results = try? Self.results(q, k, v, upstream: upstream)
      alone.withLock { $0 = results ?? [] }
    }
    let results = alone.withLock { $0 }
    try #require(results.count == together.count)
    for (one, other) in zip(results, together) { #expect(difference(one, other) == nil) }
  }

  @Test("leave the result as it is without them")
  func recording() throws {
    var random = Random(seed: 8)
    let (q, k, v) = (
      random.normal([2, 75, 3, 16]), random.normal([2, 75, 3, 16]), random.normal([2, 75, 3, 16])
    )
    let recorded = try Self.results(q, k, v, upstream: q)[0]
    #expect(difference(recorded, q.causalAttention(keys: k, values: v)) == nil)
  }

  @Test("stay finite for scores of any size")
  func large() throws {
    var random = Random(seed: 9)
    let shape: Shape = [1, 60, 1, 16]
    let (q, k) = (random.normal(shape, deviation: 100), random.normal(shape, deviation: 100))
    let (v, upstream) = (random.normal(shape), random.normal(shape))
    for result in try Self.results(q, k, v, upstream: upstream, scale: 1) {
      let isFinite = result.numbers.allSatisfy(\.isFinite)
      #expect(isFinite)
    }
  }
}
