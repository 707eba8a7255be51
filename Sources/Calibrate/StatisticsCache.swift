internal import Foundation
package import Models
package import Pipeline
internal import Tensor

/// Gram matrices of the inputs of a model's original layers, kept in files of a run directory, or of
/// a folder that recipes share.
///
/// A block has a file with its groups one after the other: the number of inputs, then the lower
/// triangle of each matrix in float32. The head counts as one more block.
package struct StatisticsCache {
  private let folder: URL
  private let key: String
  private let blockCount: Int
  /// The columns of each group's matrix in a block.
  private let widths: [Int]

  /// Names the files of a model and a text; nothing is created.
  ///
  /// - Throws: An error if the model's files cannot be read.
  package init(_ model: LanguageModel, _ set: CalibrationSet, _ context: StageContext) throws {
    folder = context.cacheFolder
    key = Digest.of([
      "statistics", ToolVersion.current, try Digest.of(model: context.modelFolder), set.digest,
    ])
    blockCount = model.blocks.count
    let configuration = model.configuration
    widths = [
      configuration.hiddenSize, configuration.queryHeads * configuration.headSize,
      configuration.hiddenSize, configuration.feedForwardSize,
    ]
  }

  /// Whether the statistics of every block and of the head are there.
  var isComplete: Bool {
    (0...blockCount).allSatisfy { block in
      let path = file(block).path
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return attributes?[.size] as? Int == byteCount(block)
    }
  }

  private func widths(_ block: Int) -> [Int] { block < blockCount ? widths : [widths[0]] }

  private func byteCount(_ block: Int) -> Int {
    widths(block).reduce(0) { $0 + 8 + 4 * $1 * ($1 + 1) / 2 }
  }

  private func file(_ block: Int) -> URL {
    folder.appending(path: "statistics-\(key.prefix(16))-\(block)")
  }

  /// Reads a block's statistics in the order of groups.
  ///
  /// - Throws: ``CalibrateError`` if the file cannot be read.
  func read(_ block: Int) throws -> [InputStatistics] {
    let url = file(block)
    guard let data = try? Data(contentsOf: url, options: .mappedIfSafe),
      data.count == byteCount(block)
    else {
      throw CalibrateError(
        .unreadable,
        "kept statistics are gone or cut",
        at: url.path,
        remedy: "remove that file, and start again"
      )
    }
    return data.withUnsafeBytes { bytes in
      var offset = 0
      return widths(block).map { width in
        let rows = bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)
        let gram = Tensor(zeros: [width, width], dtype: .float64)
        var sums = gram
        sums.withMutableElements(as: Double.self) { target in
          var position = offset + 8
          for row in 0..<width {
            for column in 0...row {
              let value = Double(bytes.loadUnaligned(fromByteOffset: position, as: Float.self))
              target[row * width + column] = value
              target[column * width + row] = value
              position += 4
            }
          }
        }
        offset += 8 + 2 * width * (width + 1)
        return InputStatistics(gram: sums, rowCount: Int(rows))
      }
    }
  }

  /// Keeps a block's statistics.
  ///
  /// - Throws: ``CalibrateError`` if the file cannot be written.
  func write(_ statistics: [InputStatistics], block: Int) throws {
    var data = Data(capacity: byteCount(block))
    for (entry, width) in zip(statistics, widths(block)) {
      withUnsafeBytes(of: Int64(entry.rowCount)) { data.append(contentsOf: $0) }
      entry.gram?.withElements(as: Double.self) { sums in
        for row in 0..<width {
          let values = sums[row * width...row * width + row].map(Float.init)
          values.withUnsafeBytes { data.append(contentsOf: $0) }
        }
      }
    }
    let url = file(block)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try data.write(to: url, options: .atomic)
    } catch {
      throw CalibrateError(
        .unwritable,
        "statistics cannot be kept there (\(RunError.text(error)))",
        at: url.path,
        remedy: "free space on that disk, or leave out `inputs: original`"
      )
    }
  }
}

extension InputStatistics {
  /// Takes a Gram matrix.
  init(gram: Tensor, rowCount: Int) {
    let width = gram.shape.columns
    let elements = gram.elements(as: Double.self)
    self.init(
      rowCount: rowCount,
      gram: gram,
      sumsOfSquares: (0..<width).map { elements[$0 * width + $0] },
      sumsOfMagnitudes: [],
      largestMagnitudes: [],
      histogram: nil,
      samples: nil
    )
  }

  /// With the Gram matrix in the precision in which it is kept, so that what was computed and what
  /// was found give the same results.
  var keptPrecision: InputStatistics {
    guard let gram else { return self }
    return InputStatistics(
      gram: gram.converted(to: .float32).converted(to: .float64),
      rowCount: rowCount
    )
  }
}
