internal import Tensor

/// The keys and values of positions already seen, so that generation computes each once.
public final class KeyValueCache {
  /// The number of positions seen.
  public private(set) var count = 0
  /// The number of positions there is room for.
  public let capacity: Int
  /// The number of sequences, which all are at the same position.
  public let sequences: Int

  private var keys: [Tensor]
  private var values: [Tensor]

  /// Makes an empty cache for sequences of at most `capacity` tokens, one if not said otherwise.
  ///
  /// Takes `2 · layers · sequences · capacity · K · C` float32 numbers.
  public init(_ configuration: ModelConfiguration, capacity: Int, sequences: Int = 1) {
    let shape: Shape = [sequences, capacity, configuration.keyHeads, configuration.headSize]
    self.capacity = capacity
    self.sequences = sequences
    self.keys = (0..<configuration.layerCount).map { _ in Tensor(zeros: shape) }
    self.values = (0..<configuration.layerCount).map { _ in Tensor(zeros: shape) }
  }

  /// Adds a layer's keys and values, `[B, T, K, C]`, and returns all so far, `[B, S, K, C]`.
  ///
  /// For several sequences `S` is the capacity, and what lies beyond the positions seen is 0.
  ///
  /// - Precondition: As many sequences as the cache is for, and room for them.
  func append(keys newKeys: Tensor, values newValues: Tensor, layer: Int) -> (Tensor, Tensor) {
    let tokens = newKeys.shape[1]
    require(
      newKeys.shape[0] == sequences,
      "key-value cache: \(newKeys.shape[0]) sequences instead of \(sequences)"
    )
    require(count + tokens <= capacity, "key-value cache: full at \(capacity) positions")
    Self.write(newKeys, to: &keys[layer], at: count)
    Self.write(newValues, to: &values[layer], at: count)
    let all = { (tensor: Tensor) in
      // Rows of several sequences do not follow each other without a gap.
      guard self.sequences == 1 else { return tensor }
      let dimensions = tensor.shape.dimensions
      let rows = tensor.reshaped(Shape(Array(dimensions.dropFirst()))).rows(0..<self.count + tokens)
      return rows.reshaped(Shape([1] + rows.shape.dimensions))
    }
    return (all(keys[layer]), all(values[layer]))
  }

  /// Counts positions that every layer has appended.
  func advance(by tokens: Int) { count += tokens }

  private static func write(_ new: Tensor, to all: inout Tensor, at position: Int) {
    let width = all.shape[2] * all.shape[3]
    let (length, room) = (new.shape[1] * width, all.shape[1] * width)
    let sequences = new.shape[0]
    new.withElements(as: Float.self) { source in
      all.withMutableElements(as: Float.self) { target in
        for sequence in 0..<sequences {
          let place = sequence * room + position * width
          for i in 0..<length { target[place + i] = source[sequence * length + i] }
        }
      }
    }
  }
}
