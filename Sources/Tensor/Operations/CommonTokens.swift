/// The tokens that two vocabularies share, where they have other ids in each.
///
/// Distributions over these tokens are compared in the order of the list: its place is a token's
/// number in what both have.
public struct CommonTokens: Sendable, Hashable {
  /// The ids in the student's vocabulary, `[C]`.
  public let student: [Int32]
  /// The ids of the same tokens in the reference's vocabulary, `[C]`.
  public let reference: [Int32]

  /// How many tokens both have, `C`.
  public var count: Int { student.count }

  /// Creates a list of pairs.
  ///
  /// - Precondition: As many ids of both, at least one, none negative, none of the student's twice.
  public init(student: [Int32], reference: [Int32]) {
    require(
      student.count == reference.count && !student.isEmpty
        && student.allSatisfy { $0 >= 0 } && reference.allSatisfy { $0 >= 0 }
        && Set(student).count == student.count,
      "common tokens: \(student.count) ids for \(reference.count), or an id negative or twice"
    )
    (self.student, self.reference) = (student, reference)
  }

  /// Returns the logits of the reference that count.
  ///
  /// - Parameter logits: `[rows, V']`.
  /// - Returns: `[rows, C]`, in the order of the list.
  package func reference(_ logits: Tensor) -> Tensor { logits.gathered(columns: reference) }

  /// How a student's columns are put so that the common ones come first; nil if they do already.
  func order(vocabulary: Int) -> ColumnOrder? {
    student.indices.allSatisfy { student[$0] == $0 }
      ? nil : ColumnOrder(first: student, count: vocabulary)
  }
}

/// Columns in another order.
struct ColumnOrder: Sendable {
  /// For each place the column that is put there.
  let columns: [Int32]
  /// For each column the place that it is put at.
  let places: [Int32]

  /// Puts some columns first, and all others after them as they were.
  init(first: [Int32], count: Int) {
    var places = Array(repeating: Int32(-1), count: count)
    for (place, column) in first.enumerated() { places[Int(column)] = Int32(place) }
    var columns = first
    columns.reserveCapacity(count)
    for column in places.indices where places[column] < 0 {
      places[column] = Int32(columns.count)
      columns.append(Int32(column))
    }
    (self.columns, self.places) = (columns, places)
  }
}

extension Tensor {
  /// Returns columns of a matrix in the order of `ids`, not recorded.
  ///
  /// - Parameter ids: Indices on the last axis, in any order and number.
  /// - Returns: `[rows, ids]`, of the dtype of `self`.
  /// - Precondition: `self` is `[rows, columns]`, of `float32` or `float64`; ids are columns.
  func gathered(columns ids: [Int32]) -> Tensor {
    requireReal("gathered columns")
    require(
      shape.rank == 2 && ids.allSatisfy { $0 >= 0 && $0 < shape[1] },
      "gathered columns: \(ids.count) of \(shape), or some outside"
    )
    let result = Tensor(uninitialized: [shape[0], ids.count], dtype: dtype)
    let (columns, source) = (shape[1], detached)
    withKernel(shape[0], grain: rowGrain(ids.count), keeping: [source, result]) { rows in
      ids.withUnsafeBufferPointer { ids in
        for row in rows {
          if source.isSingle {
            let (from, to) = (source.floats(row * columns), result.floats(row * ids.count))
            for place in ids.indices { to[place] = from[Int(ids[place])] }
          } else {
            let (from, to) = (source.doubles(row * columns), result.doubles(row * ids.count))
            for place in ids.indices { to[place] = from[Int(ids[place])] }
          }
        }
      }
    }
    return result
  }
}
