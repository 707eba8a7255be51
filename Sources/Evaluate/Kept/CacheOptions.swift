public import Pipeline

/// How a teacher's outputs are kept.
public struct CacheOptions: OptionGroup {
  /// How many tokens are kept for each position.
  public var topK = 64
  /// Where they are kept.
  public var path: CachePath?

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<CacheOptions>] {
    [
      .field(
        "top_k",
        \.topK,
        in: 1...1024,
        "How many of the teacher's most likely tokens are kept for each position: about 4 bytes "
          + "each."
      ),
      .field(
        "path",
        \.path,
        "A folder to keep them in for other stages and recipes with the same teacher and text, made "
          + "if it is not there; if not given they are gone when the stage is complete."
      ),
    ]
  }
}
