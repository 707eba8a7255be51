package import Tensor

/// How far the relations between a student's positions are from those of a teacher's.
///
/// See ``RelationOptions`` for the formula. Relations exist for one head of one sequence at a time,
/// a tile of positions by all before them, and are computed again in the backward pass.
package struct RelationDivergence {
  /// How many positions are compared with those before them at once.
  package static let tile = 128

  /// Into how many parts the channels are divided.
  package let heads: Int
  /// Negative for a position that does not count, `[B · T]`.
  package let targets: [Int32]
  /// The number of sequences `B`.
  package let rows: Int
  /// For each position the place in its row where its document begins, `[B · T]`; nil for rows of
  /// one document.
  package let documentStarts: [Int32]?

  /// Describes the positions of some rows.
  package init(heads: Int, targets: [Int32], rows: Int, documentStarts: [Int32]? = nil) {
    (self.heads, self.targets, self.rows) = (heads, targets, rows)
    self.documentStarts = documentStarts
  }

  /// Returns the mean divergence over heads and positions that count, in nats.
  ///
  /// Backward, with `q` and `p` the student's and the teacher's relations of a head and `n` counted
  /// positions: `ds[t, s] = (q[t, s] − p[t, s]) / (n · heads)` and
  /// `dx = (ds + dsᵀ) · x / √d`.
  ///
  /// - Parameters:
  ///   - states: The student's vectors, `[B · T, W]`.
  ///   - teacher: The teacher's, `[B · T, W′]`, a constant.
  /// - Returns: `[]`, of the dtype of `states`; 0 if no position counts.
  /// - Precondition: `heads` divides both widths; one dtype, `float32` or `float64`.
  /// - Complexity: `2 · B · T² · (W + W′)` operations, three times that of `W` more backward.
  ///   Beyond copies of both, about eight tiles of `128 · T` numbers.
  package func mean(_ states: Tensor, from teacher: Tensor) -> Tensor {
    let (count, width, other) = (states.shape.rows, states.shape.columns, teacher.shape.columns)
    require(
      count == targets.count && teacher.shape.rows == count && rows > 0 && count % rows == 0
        && width % heads == 0 && other % heads == 0
        && documentStarts.map { $0.count == count } ?? true,
      "relations: \(states.shape) and \(teacher.shape), \(targets.count) targets in \(rows) rows, "
        + "\(heads) heads"
    )
    let counted = targets.count { $0 >= 0 }
    var sum = Tensor([0.0], shape: []).converted(to: states.dtype)
    guard counted > 0 else { return sum }
    let (x, t) = (states.reshaped([count, width]), teacher.detached.reshaped([count, other]))
    let length = count / rows
    let parts = (0..<heads).map { head in
      (
        x.columns(head * (width / heads)..<(head + 1) * (width / heads)),
        t.columns(head * (other / heads)..<(head + 1) * (other / heads))
      )
    }
    for row in 0..<rows {
      let range = row * length..<(row + 1) * length
      let tiles = tiles(of: row, length: length, states.dtype)
      guard !tiles.isEmpty else { continue }
      for (own, reference) in parts {
        let constant = reference.rows(range)
        sum = sum + recomputed(own.rows(range)) { Self.sum($0, constant, tiles) }
      }
    }
    return sum.scaled(by: 1 / (Double(counted) * Double(heads)))
  }

  /// Neighbouring positions of a sequence.
  private struct Tile {
    let positions: Range<Int>
    /// 1 for a position that counts, else 0.
    let weights: [Double]
    let counted: Int
    /// 0 where a position sees another, minus infinity elsewhere, `[positions, last position]`.
    let mask: Tensor
  }

  /// The sum of the divergences of a sequence's counted positions in one head, `[]`.
  private static func sum(_ x: Tensor, _ teacher: Tensor, _ tiles: [Tile]) -> Tensor {
    let sums = tiles.map { tile in
      func scores(_ vectors: Tensor) -> Tensor {
        matrixProduct(
          vectors.rows(tile.positions),
          vectors.rows(0..<tile.positions.upperBound),
          secondTransposed: true,
          alpha: 1 / Double(vectors.shape[1]).squareRoot()
        ) + tile.mask
      }
      // A mean over the tile's counted positions, made a sum again.
      return scores(x).klDivergence(from: scores(teacher), weights: tile.weights)
        .scaled(by: Double(tile.counted))
    }
    return sums.dropFirst().reduce(sums[0], +)
  }

  /// The tiles of a sequence in which positions count.
  private func tiles(of row: Int, length: Int, _ dtype: DType) -> [Tile] {
    stride(from: 0, to: length, by: Self.tile).compactMap { first in
      let positions = first..<min(length, first + Self.tile)
      let weights = positions.map { targets[row * length + $0] >= 0 ? 1.0 : 0 }
      let counted = weights.count { $0 > 0 }
      guard counted > 0 else { return nil }
      let mask = mask(positions, row: row, length: length).converted(to: dtype)
      return Tile(positions: positions, weights: weights, counted: counted, mask: mask)
    }
  }

  private func mask(_ positions: Range<Int>, row: Int, length: Int) -> Tensor {
    let columns = positions.upperBound
    var elements = [Double](repeating: -.infinity, count: positions.count * columns)
    for (place, position) in positions.enumerated() {
      let start = documentStarts.map { Int($0[row * length + position]) } ?? 0
      for seen in start...position { elements[place * columns + seen] = 0 }
    }
    return Tensor(elements, shape: [positions.count, columns])
  }
}
