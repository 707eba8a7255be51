internal import CKernels
internal import Tensor

/// Takes in inputs piece by piece and adds up what is asked for.
///
/// Products of a piece are summed in float32 and pieces in float64, so that the result does not
/// lose digits with the number of tokens. Nothing depends on the number of threads.
struct StatisticsCollector {
  private let width: Int
  private let selection: InputStatistics.Selection
  private var rowCount = 0
  private var gram: Tensor?
  private var squares: [Double] = []
  private var magnitudes: [Double] = []
  private var largest: [Float] = []
  private var histogram: MagnitudeHistogram?
  private var samples: [Float] = []
  /// Every so many rows one is a sample.
  private let sampleStride: Int

  /// Prepares to take in `rowCount` rows.
  init(width: Int, _ selection: InputStatistics.Selection, rowCount total: Int) {
    self.width = width
    self.selection = selection
    let limit = InputStatistics.sampleLimit
    sampleStride = max(1, (total + limit - 1) / limit)
    if selection.contains(.gram) {
      gram = Tensor(zeros: [width, width], dtype: .float64)
    } else if selection.contains(.squares) {
      squares = Array(repeating: 0, count: width)
    }
    if selection.contains(.magnitudes) {
      magnitudes = Array(repeating: 0, count: width)
      largest = Array(repeating: 0, count: width)
    }
    if selection.contains(.histogram) {
      histogram = MagnitudeHistogram(
        counts: Array(repeating: 0, count: Int(SLM_MAGNITUDE_BINS))
      )
    }
  }

  /// Takes in inputs, `[..., D]`, float32.
  mutating func add(_ inputs: Tensor) {
    let inputs = inputs.reshaped([inputs.count / width, width])
    if selection.contains(.samples) { addSamples(inputs) }
    rowCount += inputs.shape[0]
    if gram != nil { addProducts(inputs) }
    if !squares.isEmpty {
      inputs.columnSums(squared: true).withElements(as: Double.self) { sums in
        for channel in squares.indices { squares[channel] += sums[channel] }
      }
    }
    if !magnitudes.isEmpty { addMagnitudes(inputs) }
    if histogram != nil {
      inputs.withElements(as: Float.self) { values in
        histogram?.counts.withUnsafeMutableBufferPointer {
          slm_magnitude_histogram(values.baseAddress, Int64(values.count), $0.baseAddress)
        }
      }
    }
  }

  private mutating func addProducts(_ inputs: Tensor) {
    let width = width
    let products = inputs.columnProducts()
    gram?.withMutableElements(as: Double.self) { sums in
      let source = Shared(UnsafeRawPointer(products.unsafeBase))
      let target = Shared(sums.baseAddress)
      parallelRanges(width, grain: 16) { rows in
        for row in rows {
          let values = source.pointer + row * width * MemoryLayout<Float>.size
          slm_add_wide(
            values.assumingMemoryBound(to: Float.self),
            Int64(row + 1),
            target.pointer.map { $0 + row * width }
          )
        }
      }
    }
    withExtendedLifetime(products) {}
  }

  private mutating func addSamples(_ inputs: Tensor) {
    let (first, width) = (rowCount, width)
    let start = (sampleStride - first % sampleStride) % sampleStride
    inputs.withElements(as: Float.self) { values in
      for row in stride(from: start, to: inputs.shape[0], by: sampleStride) {
        samples += values[row * width..<(row + 1) * width]
      }
    }
  }

  private mutating func addMagnitudes(_ inputs: Tensor) {
    let (rows, width) = (inputs.shape[0], width)
    inputs.withElements(as: Float.self) { values in
      magnitudes.withUnsafeMutableBufferPointer { sums in
        largest.withUnsafeMutableBufferPointer { largest in
          let (values, sums) = (Shared(values.baseAddress), Shared(sums.baseAddress))
          let top = Shared(largest.baseAddress)
          parallelRanges(width, grain: 64) { columns in
            slm_column_magnitudes(
              values.pointer,
              Int64(rows),
              Int64(width),
              Int64(columns.lowerBound),
              Int64(columns.upperBound),
              sums.pointer,
              top.pointer
            )
          }
        }
      }
    }
  }

  /// What was seen, the Gram matrix whole.
  consuming func finish() -> InputStatistics {
    var squares = squares
    let width = width
    gram?.withMutableElements(as: Double.self) { sums in
      let all = Shared(sums.baseAddress)
      parallelRanges(width, grain: 16) { rows in
        guard let all = all.pointer else { return }
        for row in rows {
          for column in row + 1..<max(width, row + 1) {
            all[row * width + column] = all[column * width + row]
          }
        }
      }
      squares = (0..<width).map { sums[$0 * width + $0] }
    }
    return InputStatistics(
      rowCount: rowCount,
      gram: gram,
      sumsOfSquares: squares,
      sumsOfMagnitudes: magnitudes,
      largestMagnitudes: largest,
      histogram: histogram,
      samples: selection.contains(.samples)
        ? Tensor(samples, shape: [samples.count / width, width]) : nil
    )
  }
}
