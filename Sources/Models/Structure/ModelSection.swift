/// A part of a model that is read, changed and saved together, so that memory is bounded by one.
public enum ModelSection {
  /// A decoder block.
  case block(DecoderBlock)
  /// What stands before and after the blocks: the embedding, the final normalization and, if it
  /// is not the embedding, the head.
  case ends(embedding: Linear, finalNorm: Normalization, head: Linear?)

  /// The section's weight matrices.
  public var matrices: [Linear] {
    switch self {
    case .block(let block): block.linears
    case .ends(let embedding, _, let head): [embedding] + (head.map { [$0] } ?? [])
    }
  }

  /// The section's normalizations.
  public var norms: [Normalization] {
    switch self {
    case .block(let block): block.norms
    case .ends(_, let norm, _): [norm]
    }
  }

  /// Forgets what was read from files; the next use reads it again.
  public func release() {
    switch self {
    case .block(let block): block.release()
    case .ends: for matrix in matrices { matrix.release() }
    }
  }
}

extension LanguageModel {
  /// The model's sections in the order in which they are saved: blocks first.
  public var sections: [ModelSection] {
    blocks.map { .block($0) }
      + [.ends(embedding: embedding, finalNorm: finalNorm, head: untiedHead)]
  }
}
