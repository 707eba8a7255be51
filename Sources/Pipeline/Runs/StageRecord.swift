import Foundation

/// What a finished stage leaves in its folder as `done.json`.
struct StageRecord: Codable, Sendable {
  /// The digest of everything that decides the result.
  var key: String
  /// The stage's kind.
  var kind: String
  /// The tool that ran it.
  var tool: String
  /// What the stage reported.
  var report: StageReport
  /// The size of the checkpoint or export in bytes.
  var sizeBytes: Int?
  /// Bits stored per parameter.
  var bitsPerWeight: Double?
  /// How long the stage took.
  var wallSeconds: Double
  /// The most resident memory meanwhile.
  var peakBytes: Int?
  /// For an export: where it is, and the digest of its bytes.
  var export: Export?
  /// For a checkpoint: the size of every file.
  var files: [String: Int]?

  struct Export: Codable, Sendable {
    var path: String
    var sha256: String
  }

  mutating func add(_ size: ModelSize) {
    sizeBytes = size.byteCount
    bitsPerWeight = size.bitsPerWeight
  }

  /// The record in the folder of a finished stage; nil if there is none.
  static func read(_ folder: URL) -> StageRecord? {
    FileTree.read(StageRecord.self, from: folder.appending(path: "done.json"))
  }

  /// A file of the checkpoint that is not there any more, or not as long as it was.
  func missingFile(in folder: URL) -> String? {
    files?.keys.sorted().first { name in
      let url = folder.appending(path: "checkpoint").appending(path: name)
      return !FileTree.exists(url) || FileTree.byteCount(of: url) != files?[name]
    }
  }

  enum CodingKeys: String, CodingKey {
    case key, kind, tool, report, export, files
    case sizeBytes = "size_bytes"
    case bitsPerWeight = "bits_per_weight"
    case wallSeconds = "wall_seconds"
    case peakBytes = "peak_bytes"
  }
}

/// A finished measurement, stored as `measurement.json`.
struct MeasurementRecord: Codable, Sendable {
  /// The digest of everything that decides the result.
  var key: String
  /// The numbers.
  var measurement: ModelMeasurement
  /// How long measuring took.
  var wallSeconds: Double
  /// The most resident memory meanwhile.
  var peakBytes: Int?

  enum CodingKeys: String, CodingKey {
    case key, measurement
    case wallSeconds = "wall_seconds"
    case peakBytes = "peak_bytes"
  }
}
