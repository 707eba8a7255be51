import Foundation
import Models
import Tensor
import Testing

@Suite("Generation")
struct GenerationTests {
  @Test(
    "decoding with a cache gives the hidden states of the full pass",
    arguments: GoldenModel.all
  )
  func cache(golden: GoldenModel) throws {
    let model = try golden.load()
    let (tokens, _) = try golden.expected()
    let shape: Shape = [tokens.count, model.configuration.hiddenSize]
    let full = model.hidden([tokens]).reshaped(shape)  // [T, D]
    let cache = KeyValueCache(model.configuration, capacity: tokens.count)
    var position = 0
    // Uneven parts: a prompt, single tokens, and a part that begins in the middle.
    for count in [9, 1, 1, 6, 1, 6] {
      let part = model.hidden([Array(tokens[position..<position + count])], cache: cache)
      let expected = full.rows(position..<position + count)
      #expect(relativeError(part.reshaped(expected.shape), expected) <= 1e-5)
      position += count
    }
    #expect(position == tokens.count)
    #expect(cache.count == tokens.count)
  }

  @Test("greedy generation takes the most probable token of the full pass")
  func greedy() throws {
    for golden in GoldenModel.all {
      let model = try golden.load()
      var tokens = Array(try golden.expected().tokens[0..<5])
      let made = try model.generate(from: tokens, count: 8, sampling: Sampling())
      for token in made {
        #expect(token == largest(in: model, after: tokens))
        tokens.append(token)
      }
      if made.count < 8 {
        #expect(model.configuration.endOfText.contains(largest(in: model, after: tokens)))
      }
    }
  }

  @Test("texts continued together are those continued alone", arguments: GoldenModel.all)
  func together(golden: GoldenModel) throws {
    let model = try golden.load()
    let tokens = Array(try golden.expected().tokens)
    let prompts = [Array(tokens[0..<3]), Array(tokens[2..<9]), [tokens[4]], Array(tokens[1..<4])]
    let samplings = [
      Sampling(), Sampling(temperature: 1, seed: 7), Sampling(temperature: 2, topK: 9, seed: 8),
      Sampling(temperature: 1, topP: 0.9, seed: 9),
    ]
    let lengths = [12, 14, 9, 3]
    let made = try model.continuations(of: prompts, lengths: lengths, samplings: samplings)
    for row in prompts.indices {
      // Without the token that ends a text.
      let alone = try model.generate(
        from: prompts[row],
        count: lengths[row] - prompts[row].count,
        sampling: samplings[row]
      )
      #expect(Array(made[row].prefix(alone.count)) == alone)
      #expect(made[row].dropFirst(alone.count).allSatisfy(model.configuration.endOfText.contains))
    }
    #expect(made[3].isEmpty)
  }

  @Test("only tokens of the given vocabulary are chosen")
  func vocabulary() throws {
    let model = try GoldenModel(name: "llama-full").load()
    let made = try model.continuations(
      of: [[5, 9], [3]],
      lengths: [30, 30],
      samplings: [Sampling(temperature: 50, seed: 1), Sampling(temperature: 50, seed: 2)],
      vocabulary: 7
    )
    #expect(made.flatMap(\.self).allSatisfy { $0 < 7 } && !made[0].isEmpty)
  }

  @Test("all tokens are chosen as often as they are likely")
  func frequencies() {
    var sampler = Sampler(Sampling(temperature: 2, seed: 5))
    let logits: [Float] = [0, 2, -3, 1, -.infinity]
    var counts = [Int](repeating: 0, count: 5)
    for _ in 0..<20_000 { counts[Int(sampler.next(logits))] += 1 }
    let weights = logits.map { Foundation.exp(Double($0) / 2) }
    let sum = weights.reduce(0, +)
    for (count, weight) in zip(counts, weights) {
      // Four standard deviations.
      let share = weight / sum
      let bound = 4 * (share * (1 - share) / 20_000).squareRoot()
      #expect(abs(Double(count) / 20_000 - share) <= bound)
    }
  }

  @Test("the same seed gives the same tokens, other seeds give others")
  func seeds() throws {
    let model = try GoldenModel(name: "llama-full").load()
    func make(_ seed: UInt64) throws -> [Int32] {
      try model.generate(
        from: [5, 9],
        count: 16,
        sampling: Sampling(temperature: 2, topP: 0.98, seed: seed)
      )
    }
    let first = try make(1)
    #expect(try make(1) == first)
    #expect(try Set((2..<10).map(make)).count > 4)
  }

  @Test("top-k 1 is greedy at any temperature, and so is a tiny top-p")
  func narrow() throws {
    let model = try GoldenModel(name: "qwen3").load()
    let greedy = try model.generate(from: [3, 4, 5], count: 12, sampling: Sampling())
    for sampling in [
      Sampling(temperature: 5, topK: 1, seed: 3), Sampling(temperature: 5, topP: 1e-9, seed: 4),
      Sampling(temperature: 1e-9, seed: 5),
    ] {
      #expect(try model.generate(from: [3, 4, 5], count: 12, sampling: sampling) == greedy)
    }
  }

  @Test("an empty prompt and more tokens than the context are errors")
  func limits() throws {
    let model = try GoldenModel(name: "llama-full").load()
    #expect(throws: ModelError.self) {
      try model.generate(from: [], count: 1, sampling: Sampling())
    }
    #expect(throws: ModelError.self) {
      try model.generate(from: [1, 2], count: 63, sampling: Sampling())
    }
    #expect(throws: ModelError.self) {
      try model.generate(from: [1, 2], count: .max, sampling: Sampling())
    }
  }

  @Test("the callback can stop generation")
  func stopping() throws {
    let model = try GoldenModel(name: "llama-full").load()
    let made = try model.generate(
      from: [1, 2],
      count: 20,
      sampling: Sampling(temperature: 1, seed: 2)
    ) { _ in false }
    #expect(made.count <= 1)
  }

  private func largest(in model: LanguageModel, after tokens: [Int32]) -> Int32 {
    let hidden = model.hidden([tokens]).reshaped([tokens.count, model.configuration.hiddenSize])
    let logits = model.logits(hidden.rows(tokens.count - 1..<tokens.count))
      .elements(as: Float.self)
    return Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
  }
}
