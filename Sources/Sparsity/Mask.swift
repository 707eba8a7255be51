internal import CKernels
package import Tensor

/// Which weights of a matrix become zero.
package struct Mask: Sendable {
  /// 1 for a weight that becomes zero, 0 for one that stays, `[outputs, inputs]`, `uint8`.
  package let marks: Tensor

  /// Among which weights the least are looked for.
  package enum Scope: Sendable {
    /// Those of a row.
    case row
    /// Those of the matrix.
    case matrix
  }

  /// Chooses the weights with the least scores.
  ///
  /// Exactly `round(sparsity · count)` weights go, of rows and of the matrix as far as whole numbers
  /// allow, or of the blocks that a pattern counts in. Of equal scores the first in the order of
  /// rows and columns goes.
  ///
  /// - Parameters:
  ///   - weight: The matrix, `[outputs, inputs]`, `float32`.
  ///   - factors: What magnitudes are multiplied by to give scores, `[inputs]`; nil for 1.
  ///   - sparsity: The fraction that goes; `N:M` says it itself.
  ///   - pattern: Where zeros may lie.
  ///   - scope: Among which weights the least are looked for; of blocks always in the matrix.
  /// - Precondition: The pattern divides the matrix.
  /// - Complexity: A few passes over the matrix.
  package init(
    _ weight: Tensor,
    factors: [Float]? = nil,
    sparsity: Double,
    pattern: SparsityPattern,
    scope: Scope
  ) {
    if case .unstructured = pattern, scope == .row {
      self.init(marks: Self.rows(Self.scores(weight, factors), sparsity))
    } else {
      self.init(
        weight,
        factors: factors,
        zeros: Self.zeros(sparsity, of: weight.count),
        pattern: pattern
      )
    }
  }

  /// Chooses so many weights of a matrix, or as many whole blocks as have about that many.
  package init(_ weight: Tensor, factors: [Float]?, zeros: Int, pattern: SparsityPattern) {
    let scores = Self.scores(weight, factors)
    switch pattern {
    case .groups(let nonzero, let size):
      marks = Self.groups(scores, size: size, zeros: size - nonzero)
    case .blocks(let rows, let columns):
      let size = rows * columns
      marks = Self.blocks(scores, rows, columns, zeros: (zeros + size / 2) / size)
    case .unstructured:
      marks = Self.least(scores.reshaped([1, scores.count]), [zeros]).reshaped(weight.shape)
    }
  }

  /// Takes marks as they are.
  package init(marks: Tensor) { self.marks = marks }

  /// How many of so many weights go.
  package static func zeros(_ sparsity: Double, of count: Int) -> Int {
    Int((sparsity * Double(count)).rounded())
  }

  /// How many of so many weights go; of a pattern of blocks as many as are in whole blocks.
  package static func zeros(
    _ sparsity: Double,
    of count: Int,
    pattern: SparsityPattern
  ) -> Int {
    let zeros = zeros(sparsity, of: count)
    guard case .blocks(let rows, let columns) = pattern else { return zeros }
    return (zeros + rows * columns / 2) / (rows * columns) * (rows * columns)
  }

  /// Sets what goes to zero.
  ///
  /// - Parameter weight: The matrix, `float32`.
  /// - Returns: The matrix with zeros, the squared norm of what went, and that of the matrix before.
  package func applied(to weight: Tensor) -> (weight: Tensor, gone: Double, all: Double) {
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    let result = weight.copied()
    let sums = Tensor(zeros: [rows, 2], dtype: .float64)
    let (weights, marks) = (Shared(result.unsafeBase), Shared(marks.unsafeBase))
    let total = Shared(sums.unsafeBase)
    parallelRanges(rows, grain: max(1, (1 << 16) / max(1, columns))) { range in
      for row in range {
        slm_apply_mask(
          (weights.pointer + row * columns * 4).assumingMemoryBound(to: Float.self),
          (marks.pointer + row * columns).assumingMemoryBound(to: UInt8.self),
          Int64(columns),
          (total.pointer + row * 16).assumingMemoryBound(to: Double.self)
        )
      }
    }
    withExtendedLifetime(self.marks) {}
    let values = sums.elements(as: Double.self)
    return (
      result, stride(from: 0, to: 2 * rows, by: 2).reduce(0) { $0 + values[$1] },
      stride(from: 1, to: 2 * rows, by: 2).reduce(0) { $0 + values[$1] }
    )
  }
}

// MARK: - Choosing

extension Mask {
  /// `|w| · factor`.
  package static func scores(_ weight: Tensor, _ factors: [Float]?) -> Tensor {
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    require(factors.map { $0.count == columns } ?? true, "mask: factors are not \(columns)")
    let scores = Tensor(uninitialized: weight.shape, dtype: .float32)
    let (source, target) = (Shared(weight.unsafeBase), Shared(scores.unsafeBase))
    let vector = factors.map { Tensor($0) }
    let factor = Shared(
      vector.map { UnsafePointer($0.unsafeBase.assumingMemoryBound(to: Float.self)) }
    )
    parallelRanges(rows, grain: max(1, (1 << 16) / max(1, columns))) { range in
      for row in range {
        slm_scores(
          (source.pointer + row * columns * 4).assumingMemoryBound(to: Float.self),
          factor.pointer,
          Int64(columns),
          (target.pointer + row * columns * 4).assumingMemoryBound(to: Float.self)
        )
      }
    }
    withExtendedLifetime((weight, vector)) {}
    return scores
  }

  /// How many scores are greater than a number.
  package static func count(_ scores: Tensor, above limit: Float) -> Int {
    let count = slm_count_above(
      scores.unsafeBase.assumingMemoryBound(to: Float.self),
      Int64(scores.count),
      limit
    )
    withExtendedLifetime(scores) {}
    return Int(count)
  }

  /// Chooses so many of the weights that a pattern would set to zero, those of the least magnitude.
  ///
  /// With growing numbers the zeros grow into the pattern: what is zero already goes first.
  ///
  /// - Parameters:
  ///   - weight: The matrix, `[outputs, inputs]`, `float32`.
  ///   - fraction: The fraction of all weights that goes.
  ///   - pattern: Where zeros may lie in the end.
  /// - Returns: The marks.
  package static func partial(
    _ weight: Tensor,
    fraction: Double,
    pattern: SparsityPattern
  ) -> Mask {
    let zeros = zeros(fraction, of: weight.count)
    guard case .groups(let nonzero, let size) = pattern else {
      return Mask(weight, factors: nil, zeros: zeros, pattern: pattern)
    }
    var scores = scores(weight, nil)
    let candidates = groups(scores, size: size, zeros: size - nonzero)
    var count = 0
    candidates.withElements(as: UInt8.self) { candidates in
      scores.withMutableElements(as: Float.self) { scores in
        for index in scores.indices {
          if candidates[index] == 0 { scores[index] = .infinity } else { count += 1 }
        }
      }
    }
    let flat = least(scores.reshaped([1, scores.count]), [min(zeros, count)])
    return Mask(marks: flat.reshaped(weight.shape))
  }

  private static func groups(_ scores: Tensor, size: Int, zeros: Int) -> Tensor {
    let (rows, columns) = (scores.shape[0], scores.shape[1])
    require(columns % size == 0, "mask: groups of \(size) in \(columns) columns")
    let marks = Tensor(uninitialized: scores.shape, dtype: .uint8)
    let (source, target) = (Shared(scores.unsafeBase), Shared(marks.unsafeBase))
    parallelRanges(rows, grain: max(1, (1 << 13) / max(1, columns))) { range in
      for row in range {
        slm_mask_groups(
          (source.pointer + row * columns * 4).assumingMemoryBound(to: Float.self),
          Int64(columns),
          Int64(size),
          Int64(zeros),
          (target.pointer + row * columns).assumingMemoryBound(to: UInt8.self)
        )
      }
    }
    withExtendedLifetime(scores) {}
    return marks
  }

  private static func rows(_ scores: Tensor, _ sparsity: Double) -> Tensor {
    let (rows, columns) = (scores.shape[0], scores.shape[1])
    // Rows that cannot have the fraction in whole numbers differ by one, so that the matrix has it.
    let ends = (0...rows).map { zeros(sparsity, of: $0 * columns) }
    return least(scores, (0..<rows).map { ends[$0 + 1] - ends[$0] })
  }

  /// Marks so many of the least scores of each row.
  private static func least(_ scores: Tensor, _ zeros: [Int]) -> Tensor {
    let (rows, columns) = (scores.shape[0], scores.shape[1])
    let marks = Tensor(uninitialized: scores.shape, dtype: .uint8)
    let (source, target) = (Shared(scores.unsafeBase), Shared(marks.unsafeBase))
    parallelRanges(rows, grain: max(1, (1 << 13) / max(1, columns))) { range in
      let scratch = UnsafeMutablePointer<Float>.allocate(capacity: max(1, columns))
      defer { scratch.deallocate() }
      for row in range {
        slm_mask_least(
          (source.pointer + row * columns * 4).assumingMemoryBound(to: Float.self),
          Int64(columns),
          Int64(zeros[row]),
          scratch,
          (target.pointer + row * columns).assumingMemoryBound(to: UInt8.self)
        )
      }
    }
    withExtendedLifetime(scores) {}
    return marks
  }

  /// Marks whole blocks, by the sums of the squares of their scores.
  private static func blocks(
    _ scores: Tensor,
    _ height: Int,
    _ width: Int,
    zeros: Int
  ) -> Tensor {
    let (rows, columns) = (scores.shape[0], scores.shape[1])
    require(
      rows % height == 0 && columns % width == 0,
      "mask: \(height)x\(width) in \(scores.shape)"
    )
    let (down, across) = (rows / height, columns / width)
    let sums = Tensor(zeros: [down, across], dtype: .float64)
    for row in 0..<rows {
      slm_run_sums(
        (scores.unsafeBase + row * columns * 4).assumingMemoryBound(to: Float.self),
        Int64(columns),
        Int64(width),
        (sums.unsafeBase + row / height * across * 8).assumingMemoryBound(to: Double.self)
      )
    }
    let count = down * across
    let chosen = least(sums.converted(to: .float32).reshaped([1, count]), [zeros])
    var marks = Tensor(zeros: scores.shape, dtype: .uint8)
    chosen.withElements(as: UInt8.self) { chosen in
      marks.withMutableElements(as: UInt8.self) { marks in
        for block in 0..<count where chosen[block] == 1 {
          let (top, left) = (block / across * height, block % across * width)
          for row in top..<top + height {
            for column in left..<left + width { marks[row * columns + column] = 1 }
          }
        }
      }
    }
    return marks
  }
}
