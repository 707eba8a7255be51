internal import Tensor

/// The keys and values of positions already seen, so that generation computes each once.
public final class KeyValueCache {
  /// The number of positions seen.
  public private(set) var count = 0
  /// The number of positions there is room for.
  public let capacity: Int

  private var keys: [Tensor]
  private var values: [Tensor]

  /// Makes an empty cache for one sequence of at most `capacity` tokens.
  ///
  /// Takes `2 · layers · capacity · K · C` float32 numbers.
  public init(_ configuration: ModelConfiguration, capacity: Int) {
    let shape: Shape = [capacity, configuration.keyHeads, configuration.headSize]
    self.capacity = capacity
    self.keys = (0..<configuration.layerCount).map { _ in Tensor(zeros: shape) }
    self.values = (0..<configuration.layerCount).map { _ in Tensor(zeros: shape) }
  }

  /// Adds a layer's keys and values, `[1, T, K, C]`, and returns all so far, `[1, S, K, C]`.
  ///
  /// - Precondition: One sequence, and room for it.
  func append(keys newKeys: Tensor, values newValues: Tensor, layer: Int) -> (Tensor, Tensor) {
    let tokens = newKeys.shape[1]
    require(newKeys.shape[0] == 1, "key-value cache: one sequence, not \(newKeys.shape[0])")
    require(count + tokens <= capacity, "key-value cache: full at \(capacity) positions")
    Self.write(newKeys, to: &keys[layer], at: count)
    Self.write(newValues, to: &values[layer], at: count)
    let all = { (tensor: Tensor) in
      let rows = tensor.rows(0..<self.count + tokens)
      return rows.reshaped(Shape([1] + rows.shape.dimensions))
    }
    return (all(keys[layer]), all(values[layer]))
  }

  /// Counts positions that every layer has appended.
  func advance(by tokens: Int) { count += tokens }

  private static func write(_ new: Tensor, to all: inout Tensor, at position: Int) {
    let stride = all.shape[1] * all.shape[2]
    new.withElements(as: Float.self) { source in
      all.withMutableElements(as: Float.self) { target in
        for i in source.indices { target[position * stride + i] = source[i] }
      }
    }
  }
}
