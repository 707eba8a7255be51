internal import Foundation

/// The files that grow by a line with each step.
///
/// metrics.jsonl has what the same training writes again byte for byte; timing.jsonl has what
/// depends on the machine. Both are cut back to the saved state when a training is resumed.
final class TrainingMetrics {
  /// The sizes of the files, in bytes.
  struct ByteCounts: Codable, Equatable {
    var metrics = 0
    var timing = 0
  }

  private let metrics: LineFile
  private let timing: LineFile

  /// Opens the files in a folder and cuts them to a length.
  init(_ folder: URL, keeping counts: ByteCounts) throws {
    metrics = try LineFile(folder.appending(path: "metrics.jsonl"), keeping: counts.metrics)
    timing = try LineFile(folder.appending(path: "timing.jsonl"), keeping: counts.timing)
  }

  var byteCounts: ByteCounts {
    ByteCounts(metrics: metrics.byteCount, timing: timing.byteCount)
  }

  /// Adds lines for a step; fields that are nil are left out.
  func append(
    step: Int,
    _ fields: KeyValuePairs<String, Double?>,
    timing times: KeyValuePairs<String, Double?> = [:]
  ) throws {
    try metrics.append(Self.line(step, fields))
    if !times.isEmpty { try timing.append(Self.line(step, times)) }
  }

  /// Waits until the lines are on the disk.
  func synchronize() throws {
    try metrics.synchronize()
    try timing.synchronize()
  }

  /// A line of JSON.
  ///
  /// Numbers have the fewest digits that give the same `Double` again.
  private static func line(_ step: Int, _ fields: KeyValuePairs<String, Double?>) -> String {
    let texts = fields.compactMap { key, value in value.map { "\"\(key)\":\($0)" } }
    return "{" + (["\"step\":\(step)"] + texts).joined(separator: ",") + "}\n"
  }
}

/// A file to which lines are added.
private final class LineFile {
  private let url: URL
  private let handle: FileHandle
  private(set) var byteCount: Int

  init(_ url: URL, keeping byteCount: Int) throws {
    self.url = url
    self.byteCount = byteCount
    if !FileManager.default.fileExists(atPath: url.path) {
      guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
        throw Self.failure(url, "the file cannot be created")
      }
    }
    do {
      handle = try FileHandle(forUpdating: url)
      let size = try handle.seekToEnd()
      guard size >= UInt64(byteCount) else {
        throw TrainingError(
          .damagedState,
          "the file has \(size) bytes, of which the saved state counts \(byteCount)",
          at: url.path,
          remedy: "put the file back, or remove the folder to start again"
        )
      }
      try handle.truncate(atOffset: UInt64(byteCount))
      try handle.seekToEnd()
    } catch let error as TrainingError {
      throw error
    } catch {
      throw Self.failure(url, "the file cannot be opened: \(error.localizedDescription)")
    }
  }

  deinit { try? handle.close() }

  func append(_ line: String) throws {
    let data = Data(line.utf8)
    do { try handle.write(contentsOf: data) } catch {
      throw Self.failure(url, "a line cannot be added: \(error.localizedDescription)")
    }
    byteCount += data.count
  }

  func synchronize() throws {
    do { try handle.synchronize() } catch {
      throw Self.failure(url, "the disk refuses: \(error.localizedDescription)")
    }
  }

  private static func failure(_ url: URL, _ problem: String) -> TrainingError {
    TrainingError(
      .unwritable,
      problem,
      at: url.path,
      remedy: "make room or choose another folder"
    )
  }
}
