internal import Tensor

/// Weights as training starts from them: random matrices, normalizations of 1, biases of 0.
///
/// The numbers of a matrix are normal with mean 0 and the same deviation everywhere, but for the
/// matrices whose outputs are added to the residual stream (`o_proj` and `down_proj`): of these
/// there are two per block, and their deviation is divided by `√(2 · blocks)`, so that the stream
/// does not grow with the depth of the model. All are float32.
///
/// A matrix is made when it is read, from a seed of its own that follows from the model's seed and
/// the matrix's name: none is held before, and no order of reading changes any.
///
/// Source: Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019, section
/// 2.3, for the residual matrices; the deviation of 0.02 is that of GPT-2's published code and of
/// `initializer_range` in transformers. Differs from it in not having position embeddings.
struct RandomWeights: WeightSource {
  /// Where all randomness starts.
  let seed: UInt64
  /// The deviation of matrices that do not end a residual branch.
  let deviation: Double
  /// The number of blocks.
  let layerCount: Int
  /// Whether the head is the embedding.
  let tiesEmbeddings: Bool

  func contains(_ module: String) -> Bool {
    if module == "lm_head" { return !tiesEmbeddings }
    guard let match = module.prefixMatch(of: /model\.layers\.([0-9]+)\./) else { return true }
    return Int(match.1).map { $0 < layerCount } ?? false
  }

  func matrix(_ module: String, rows: Int, columns: Int) -> StoredWeight {
    let seed = Self.seed(seed, module)
    let endsBranch = module.hasSuffix(".o_proj") || module.hasSuffix(".down_proj")
    let deviation = endsBranch ? deviation / Double(2 * layerCount).squareRoot() : deviation
    return StoredWeight(rows: rows, columns: columns, format: .elements(.float32)) {
      var random = Random(seed: seed)
      return DenseWeight(random.normal([rows, columns], deviation: deviation))
    }
  }

  func vector(_ name: String, count: Int) -> Tensor {
    Tensor([Float](repeating: name.hasSuffix(".bias") ? 0 : 1, count: count))
  }

  /// The seed of a matrix: FNV-1a over the bytes of the model's seed and of the name.
  ///
  /// Source: Fowler, Noll, Vo, Eastlake and Hansen, *The FNV Non-Cryptographic Hash Algorithm*.
  static func seed(_ seed: UInt64, _ name: String) -> UInt64 {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: seed >> (8 * UInt64($0))) } + name.utf8
    return bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
