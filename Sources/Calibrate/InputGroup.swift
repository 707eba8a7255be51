public import Models

/// Linear layers that share an input, with what is known of it.
public struct InputGroup {
  /// The block's number.
  public let block: Int
  /// The layers: query, key and value; the output projection; gate and up; or down.
  public let linears: [Linear]
  /// What was collected over all tokens, with every layer before these as it is now.
  public let statistics: InputStatistics
}
