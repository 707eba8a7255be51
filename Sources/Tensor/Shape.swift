/// The extents of a tensor's axes, outermost first.
///
/// ```swift
/// let shape: Shape = [2, 3]
/// shape.count      // 6
/// shape.rows       // 2: every axis but the last
/// shape.columns    // 3
/// ```
public struct Shape: Sendable, Hashable {
  /// The extent of each axis; none for a scalar.
  public let dimensions: [Int]

  /// Creates a shape.
  ///
  /// - Precondition: No extent is negative.
  public init(_ dimensions: [Int]) {
    require(dimensions.allSatisfy { $0 >= 0 }, "shape: negative extent in \(dimensions)")
    self.dimensions = dimensions
  }

  /// The number of elements: the product of all extents, 1 for a scalar.
  public var count: Int { dimensions.reduce(1, *) }

  /// The number of axes.
  public var rank: Int { dimensions.count }

  /// The extent of the last axis, 1 for a scalar.
  public var columns: Int { dimensions.last ?? 1 }

  /// The product of all extents but the last: how many rows a kernel sees.
  public var rows: Int { dimensions.dropLast().reduce(1, *) }

  /// The extent of an axis; negative indices count from the end, −1 being the last.
  public subscript(axis: Int) -> Int {
    dimensions[axis < 0 ? dimensions.count + axis : axis]
  }

  /// The same shape with another last axis.
  public func replacingColumns(with columns: Int) -> Shape {
    Shape(dimensions.dropLast() + [columns])
  }
}

extension Shape: ExpressibleByArrayLiteral {
  /// Creates a shape from its extents.
  public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
  /// The extents in brackets, such as `[2, 3]`.
  public var description: String { "\(dimensions)" }
}
