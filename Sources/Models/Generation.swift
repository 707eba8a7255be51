internal import Foundation
internal import Tensor

/// How the next token is chosen from the logits.
public struct Sampling: Sendable, Hashable {
  /// Divides the logits; 0 always takes the most probable token.
  public var temperature = 0.0
  /// How many of the most probable tokens may be chosen; nil for all.
  public var topK: Int?
  /// The least total probability of the most probable tokens that may be chosen, in `0...1`.
  public var topP = 1.0
  /// What random choices depend on.
  public var seed: UInt64 = 0

  /// Greedy choice.
  public init() {}

  /// Chooses from logits at random, as these options say.
  public init(temperature: Double, topK: Int? = nil, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }
}

/// Chooses tokens one by one.
public struct Sampler {
  private let options: Sampling
  private var random: Random

  /// Makes a sampler in its first state.
  public init(_ options: Sampling) {
    self.options = options
    self.random = Random(seed: options.seed)
  }

  /// Chooses a token.
  ///
  /// Candidates are the `topK` most probable, then of these as few as reach `topP`; the lower id
  /// wins where logits are equal. If neither `topK` nor `topP` leaves any out, all are candidates
  /// in the order of their ids.
  ///
  /// Source: Holtzman et al., *The Curious Case of Neural Text Degeneration*, 2019,
  /// arXiv:1904.09751 (top-p).
  ///
  /// - Parameter logits: One number per token of the vocabulary.
  /// - Returns: The token's id.
  /// - Complexity: O(V log V) if `topK` or `topP` leaves candidates out, O(V) otherwise.
  public mutating func next(_ logits: [Float]) -> Int32 {
    guard options.temperature > 0 else { return Self.largest(logits) }
    if options.topK == nil && options.topP >= 1 { return nextOfAll(logits) }
    var order = Array(logits.indices)
    order.sort { (logits[$1], $0) < (logits[$0], $1) }
    if let topK = options.topK { order = Array(order.prefix(max(1, topK))) }
    let top = Double(logits[order[0]])
    var weights = order.map { exp((Double(logits[$0]) - top) / options.temperature) }
    let total = weights.reduce(0, +)
    var reached = 0.0
    let kept = weights.firstIndex { weight in
      reached += weight
      return reached >= options.topP * total
    }
    weights = Array(weights.prefix((kept ?? weights.count - 1) + 1))
    var left = Double.random(in: 0..<1, using: &random) * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return Int32(order[index]) }
    }
    return Int32(order[weights.count - 1])
  }

  /// Chooses among all tokens, which need not be sorted for it.
  private mutating func nextOfAll(_ logits: [Float]) -> Int32 {
    let best = Self.largest(logits)
    let top = Double(logits[Int(best)])
    let weights = logits.map { exp((Double($0) - top) / options.temperature) }
    var left = Double.random(in: 0..<1, using: &random) * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return Int32(index) }
    }
    return best
  }

  private static func largest(_ logits: [Float]) -> Int32 {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return Int32(best)
  }
}

extension LanguageModel {
  /// Continues a text token by token.
  ///
  /// ```swift
  /// try model.generate(from: ids, count: 32, sampling: Sampling()) { token in
  ///   print(tokenizer.decode([token])); return true
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - prompt: Token ids to continue, at least one.
  ///   - count: The number of tokens to make at most.
  ///   - sampling: How each is chosen.
  ///   - body: Called with each token as it is made; returns whether to go on.
  /// - Returns: The tokens made, without the one that ends the text.
  /// - Throws: ``ModelError`` if prompt and continuation exceed the model's context, or if the
  ///   model computes numbers that are not finite.
  @discardableResult
  public func generate(
    from prompt: [Int32],
    count: Int,
    sampling: Sampling,
    _ body: (Int32) throws -> Bool = { _ in true }
  ) throws -> [Int32] {
    guard !prompt.isEmpty, count <= configuration.contextLength - prompt.count else {
      throw ModelError(
        .invalid,
        prompt.isEmpty
          ? "the prompt is empty"
          : "\(prompt.count) tokens of prompt and \(count) more exceed the context",
        at: companions.name,
        remedy: prompt.isEmpty
          ? "give at least one token"
          : "the model was made for \(configuration.contextLength) tokens; ask for fewer"
      )
    }
    let cache = KeyValueCache(configuration, capacity: prompt.count + count)
    var sampler = Sampler(sampling)
    var made: [Int32] = []
    var input = prompt
    while made.count < count {
      let states = hidden([input], cache: cache)  // [1, T, D]
      let last = states.reshaped([input.count, configuration.hiddenSize])
        .rows(input.count - 1..<input.count)
      let logits = logits(last).elements(as: Float.self)
      let token = sampler.next(logits)
      guard logits[Int(token)].isFinite, !logits.contains(where: \.isNaN) else {
        throw ModelError(
          .notFinite,
          "the logits of token \(prompt.count + made.count) are not finite numbers",
          at: companions.name,
          remedy: "look for damaged weights; a compression step may have broken them"
        )
      }
      if configuration.endOfText.contains(token) { break }
      made.append(token)
      input = [token]
      if try !body(token) { break }
    }
    return made
  }
}
