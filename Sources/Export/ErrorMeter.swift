internal import Checkpoints
internal import Models
internal import Tensor

/// Notes the largest difference between weights and what is stored for them.
final class ErrorMeter {
  private(set) var largest: (name: String, value: Double)?

  /// Compares rows with what they were made of, if that may have moved them.
  ///
  /// - Throws: ``ExportError`` if a number became infinite.
  func note(
    _ name: String,
    _ weight: any LinearWeight,
    _ range: Range<Int>,
    _ rows: Tensor,
    _ encoding: TensorEncoding
  ) throws {
    let conversion = MatrixConversion(from: weight.format, to: encoding, columns: weight.columns)
    // Rounding unquantized weights to a type is what was asked for; only half precision has a
    // range that they can exceed.
    let isPlain = if case .elements = weight.format { true } else { false }
    guard
      conversion == .requantized
        || conversion == .rounded && (!isPlain || encoding == .elements(.float16))
    else { return }
    let exact = weight.matrix.widened(rows: range)
    let stored: Tensor =
      switch encoding {
      case .blocks(let format):
        Tensor(blocks: rows, format: format, shape: [range.count, weight.columns])
      default: rows.converted(to: .float32)
      }
    let value = exact.largestDifference(from: stored)
    guard value.isFinite else {
      throw ExportError(
        .overflow,
        "a weight is too large for \(encoding), or not a number",
        at: name,
        remedy: "export as float32 or bfloat16"
      )
    }
    if value > largest?.value ?? -1 { largest = (name, value) }
  }

  /// Compares a weight with what is stored for it.
  ///
  /// - Throws: ``ExportError`` if a number became infinite.
  func note(_ name: String, _ weight: any LinearWeight, stored: any LinearWeight) throws {
    let runLength = max(1, (1 << 20) / max(1, weight.columns))
    for start in stride(from: 0, to: weight.rows, by: runLength) {
      let range = start..<min(weight.rows, start + runLength)
      let value = weight.matrix.widened(rows: range).largestDifference(
        from: stored.matrix.widened(rows: range)
      )
      guard value.isFinite else {
        throw ExportError(
          .overflow,
          "a weight is too large for what stores it, or not a number",
          at: name,
          remedy: "quantize again, or store the model in another type"
        )
      }
      if value > largest?.value ?? -1 { largest = (name, value) }
    }
  }
}

extension Tensor {
  /// The largest magnitude of a difference; infinite if one is infinite or not a number.
  fileprivate func largestDifference(from other: Tensor) -> Double {
    let rows = Tensor(zeros: [shape.rows], dtype: .float32)
    let (a, b) = (Shared(unsafeBase), Shared(other.unsafeBase))
    let (target, columns) = (Shared(rows.unsafeBase), shape.columns)
    parallelRanges(shape.rows, grain: max(1, 65_536 / max(1, columns))) { part in
      for row in part {
        let a = a.pointer.assumingMemoryBound(to: Float.self) + row * columns
        let b = b.pointer.assumingMemoryBound(to: Float.self) + row * columns
        var (largest, sum): (Float, Float) = (0, 0)
        for column in 0..<columns {
          let difference = abs(a[column] - b[column])
          largest = max(largest, difference)
          // A NaN is lost in `max`, but not in a sum.
          sum += difference
        }
        target.pointer.assumingMemoryBound(to: Float.self)[row] = sum.isFinite ? largest : .infinity
      }
    }
    withExtendedLifetime((self, other)) {}
    return rows.elements(as: Float.self).reduce(0) { max($0, Double($1)) }
  }
}
