/// How documents are put into rows.
public enum Packing: String, Sendable, Hashable, Codable, CaseIterable {
  /// Documents one after the other, cut wherever a row is full: for texts.
  ///
  /// Neighbouring rows share one token, so that each token but a document's first is predicted
  /// once in an epoch. The last row may end in padding.
  case packed
  /// As many whole documents in a row as fit: for conversations.
  ///
  /// A document goes into the first of up to 256 open rows that has room. Which documents share a
  /// row is the same in all epochs.
  case whole
  /// One document in a row, padded to the longest of the batch.
  case padded
}

/// What becomes of a document that does not fit a row, in packings that do not cut.
public enum OverlongRule: String, Sendable, Hashable, Codable, CaseIterable {
  /// It ends the run.
  case error
  /// Its end is cut off; it is left out if nothing that counts is left.
  case cut
  /// It is left out.
  case drop
}

/// How rows are made and ordered.
public struct BatchOptions: Sendable, Hashable {
  /// The number of inputs in a row, the model's context at most; one more token is predicted.
  public var length: Int
  /// What becomes of documents of more than `length + 1` tokens.
  public var overlong: OverlongRule
  /// Whether documents in a row do not see each other.
  public var separatesDocuments: Bool
  /// Whether documents and rows are put in another order in every epoch.
  public var shuffles: Bool
  /// Whether every epoch has the same rows, whatever the seed, so that what was computed for a row
  /// can be used again; rows then come in another order, and documents share them as they lie.
  public var keepsRows: Bool
  /// Decides the order.
  public var seed: UInt64
  /// What padding is filled with; its predictions do not count.
  public var paddingToken: Int32

  /// Creates options.
  public init(
    length: Int,
    overlong: OverlongRule = .error,
    separatesDocuments: Bool = true,
    shuffles: Bool = true,
    keepsRows: Bool = false,
    seed: UInt64 = 0,
    paddingToken: Int32 = 0
  ) {
    self.length = length
    self.overlong = overlong
    self.separatesDocuments = separatesDocuments
    self.shuffles = shuffles
    self.keepsRows = keepsRows
    self.seed = seed
    self.paddingToken = paddingToken
  }
}

/// One data set of a mixture.
public struct BatchSource: Sendable {
  /// The tokens.
  public var slice: TokenSlice
  /// How they are put into rows.
  public var packing: Packing
  /// The share of rows, above 0, in relation to the other sources' weights; nil for the number of
  /// its rows, so that sources without weights are gone through equally often.
  public var weight: Double?
  /// How many times the source is read before it is left out; nil for no end.
  public var epochs: Int?

  /// Creates a source.
  public init(
    _ slice: TokenSlice,
    packing: Packing = .packed,
    weight: Double? = nil,
    epochs: Int? = nil
  ) {
    (self.slice, self.packing) = (slice, packing)
    (self.weight, self.epochs) = (weight, epochs)
  }
}

/// What became of the documents of one source.
public struct PackingCounts: Sendable, Hashable, Codable {
  /// How many rows an epoch has.
  public var rows = 0
  /// How many documents are in them.
  public var documents = 0
  /// How many tokens are in them; those that two rows share count once.
  public var tokens = 0
  /// How many predictions count in an epoch.
  public var countedTargets = 0
  /// How many documents lost their end.
  public var cut = 0
  /// How many documents were left out because they do not fit.
  public var dropped = 0
  /// How many documents were left out because no prediction in them counts.
  public var withoutTargets = 0

  /// Creates counts of nothing.
  public init() {}
}
