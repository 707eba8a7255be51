internal import Foundation
package import Tensor

/// Activations of all sequences at one place of a model, in memory or in a file.
///
/// They are written and read in chunks of whole sequences: in memory a chunk is kept as it is
/// given, without a copy. The file has no name, so that nothing is left of it however the program
/// ends.
package final class ActivationStore {
  /// About how many tokens a chunk has: enough for products at full speed.
  static let chunkTokens = 4096

  /// The number of rows: tokens of all sequences.
  package let rows: Int
  /// The number of columns.
  package let width: Int

  /// The rows of a chunk; the last one may have fewer.
  private let chunk: Int
  private var memory: [Tensor?]
  private let file: FileHandle?
  private let location: String

  /// Makes a store of undefined contents.
  ///
  /// - Parameters:
  ///   - rows: The number of rows.
  ///   - width: The number of columns.
  ///   - chunk: How many rows are written at a time, from a multiple of it on.
  ///   - budget: How many bytes may be taken of memory; what is taken is subtracted.
  ///   - scratch: The folder of the file if they are too few.
  /// - Throws: ``CalibrateError`` if the file cannot be made.
  init(
    rows: Int,
    width: Int,
    chunk: Int,
    budget: inout Int,
    scratch: URL
  ) throws(CalibrateError) {
    self.rows = rows
    self.width = width
    self.chunk = chunk
    let byteCount = rows * width * MemoryLayout<Float>.size
    if byteCount <= budget {
      budget -= byteCount
      memory = Array(repeating: nil, count: (rows + chunk - 1) / chunk)
      file = nil
      location = "memory"
      return
    }
    memory = []
    let url = scratch.appending(path: "activations-\(UUID().uuidString)")
    location = url.path
    let descriptor = open(url.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failed(location) }
    unlink(url.path)
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// Returns rows, `[count, width]`.
  package func rows(_ range: Range<Int>) throws(CalibrateError) -> Tensor {
    guard file != nil else { return kept(range) }
    let result = Tensor(uninitialized: [range.count, width], dtype: .float32)
    try transfer(result, range) { pread($0, $1, $2, $3) }
    return result
  }

  private func kept(_ range: Range<Int>) -> Tensor {
    let chunks = range.lowerBound / chunk...max(range.lowerBound, range.upperBound - 1) / chunk
    let parts = chunks.map { index in
      guard let tensor = memory[index] else { fail("activations: chunk \(index) is not written") }
      let part = range.clamped(to: rows(ofChunk: index))
      return tensor.rows(part.lowerBound - index * chunk..<part.upperBound - index * chunk)
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts)
  }

  /// Replaces a chunk by a tensor of as many rows of the same width, of any shape.
  package func set(_ range: Range<Int>, _ values: Tensor) throws(CalibrateError) {
    require(
      values.count == range.count * width && values.dtype == .float32,
      "activations: \(values.shape) for \(range.count) rows of \(width)"
    )
    guard file == nil else { return try transfer(values, range) { pwrite($0, $1, $2, $3) } }
    let index = range.lowerBound / chunk
    require(range == rows(ofChunk: index), "activations: \(range) is no chunk of \(chunk)")
    // A part of a larger buffer would keep all of it.
    memory[index] = values.tight.reshaped([range.count, width])
  }

  private func rows(ofChunk index: Int) -> Range<Int> {
    index * chunk..<min((index + 1) * chunk, rows)
  }

  private func transfer(
    _ tensor: Tensor,
    _ range: Range<Int>,
    _ move: (Int32, UnsafeMutableRawPointer, Int, off_t) -> Int
  ) throws(CalibrateError) {
    guard let descriptor = file?.fileDescriptor else { return }
    var done = 0
    let start = range.lowerBound * width * MemoryLayout<Float>.size
    while done < tensor.byteCount {
      let moved = move(
        descriptor,
        tensor.unsafeBase + done,
        tensor.byteCount - done,
        off_t(start + done)
      )
      if moved < 0 && errno == EINTR { continue }
      guard moved > 0 else { throw Self.failed(location) }
      done += moved
    }
    withExtendedLifetime(tensor) {}
  }

  private static func failed(_ location: String) -> CalibrateError {
    CalibrateError(
      .unwritable,
      "activations cannot be kept there (\(String(cString: strerror(errno))))",
      at: location,
      remedy: "free space on that disk, or use fewer sequences or more memory for calibration"
    )
  }
}
