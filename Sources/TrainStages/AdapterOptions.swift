public import Pipeline

/// Low-rank adapters.
public struct AdapterOptions: OptionGroup {
  /// The inner extent of an adapter.
  public var rank = 8
  /// The factor of an adapter, times the rank.
  public var alpha = 16.0
  /// The fraction of inputs dropped.
  public var dropout = 0.0

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<AdapterOptions>] {
    [
      .field("rank", \.rank, in: 1...4096, "The inner extent of an adapter's two matrices."),
      .field(
        "alpha",
        \.alpha,
        in: .above(0.0),
        "An adapter's product is multiplied by `alpha / rank`."
      ),
      .field(
        "dropout",
        \.dropout,
        in: 0..<1,
        "The fraction of an adapter's inputs that is dropped while training."
      ),
    ]
  }
}
