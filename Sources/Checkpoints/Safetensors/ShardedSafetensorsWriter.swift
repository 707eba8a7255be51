internal import Foundation
public import Tensor

/// Writes a checkpoint as one safetensors file, or as several with an index if it is large.
///
/// Files are named as transformers names them: `model.safetensors`, or
/// `model-00001-of-00002.safetensors` and so on with `model.safetensors.index.json`. The index
/// is written last, so a folder that has it is complete.
///
/// ```swift
/// var writer = try ShardedSafetensorsWriter(folder: "out", tensors: declarations)
/// for declaration in declarations {
///   try writer.append(weights[declaration.name], to: declaration.name)
/// }
/// try writer.finish()
/// ```
public struct ShardedSafetensorsWriter: ~Copyable {
  private let folder: String
  private let shards: [TensorLayout]
  private let shardIndices: [String: Int]
  private let byteCount: Int

  /// The names of the files that ``finish()`` leaves, the index last.
  public let fileNames: [String]

  /// Creates the files under temporary names and writes their headers.
  ///
  /// - Parameters:
  ///   - folder: An existing folder.
  ///   - tensors: What will be appended; shards take them in this order.
  ///   - metadata: Texts for the headers' `__metadata__`, beside `format: pt`.
  ///   - maximumShardByteCount: The most bytes of tensors in a file, unless a single tensor is
  ///     larger.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` for declarations that the format
  ///   cannot hold, or if the folder has a file that readers would take instead; `unwritable`,
  ///   also when the disk has no room for all files.
  public init(
    folder: String,
    tensors: [TensorDeclaration],
    metadata: [String: String] = [:],
    maximumShardByteCount: Int = 5_000_000_000
  ) throws(CheckpointError) {
    let (groups, total) = try Self.shards(tensors, maximumShardByteCount, folder: folder)
    let isSharded = groups.count > 1
    let names =
      isSharded
      ? (1...groups.count).map { Self.name(shard: $0, of: groups.count) } : [Self.singleName]
    try Self.requireNoRival(folder, isSharded ? Self.singleName : Self.indexName)
    var shards: [TensorLayout] = []
    var shardIndices: [String: Int] = [:]
    for (index, group) in groups.enumerated() {
      let path = (folder as NSString).appendingPathComponent(names[index])
      shards.append(try SafetensorsWriter.layout(path: path, tensors: group, metadata: metadata))
      for declaration in group { shardIndices[declaration.name] = index }
    }
    self.folder = folder
    self.shards = shards
    self.shardIndices = shardIndices
    self.byteCount = total
    self.fileNames = isSharded ? names + [Self.indexName] : names
  }

  /// Returns the size of the files that would be written, the index not counted, in bytes.
  ///
  /// It depends on names, types and shapes; nothing is written.
  ///
  /// - Parameters:
  ///   - tensors: What would be appended; shards take them in this order.
  ///   - maximumShardByteCount: The most bytes of tensors in a file, unless a single tensor is
  ///     larger.
  /// - Returns: The number of bytes.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` for what the format cannot hold.
  package static func byteCount(
    tensors: [TensorDeclaration],
    maximumShardByteCount: Int
  ) throws(CheckpointError) -> Int {
    let folder = "safetensors folder"
    var sum = 0
    for shard in try shards(tensors, maximumShardByteCount, folder: folder).shards {
      sum += try SafetensorsWriter.plan(path: folder, tensors: shard, metadata: [:]).byteCount
    }
    return sum
  }

  /// Which tensors lie in which file, and the size of all of them.
  private static func shards(
    _ tensors: [TensorDeclaration],
    _ maximumShardByteCount: Int,
    folder: String
  ) throws(CheckpointError) -> (shards: [[TensorDeclaration]], byteCount: Int) {
    try tensors.requireUniqueNames(path: folder)
    var groups: [[TensorDeclaration]] = [[]]
    var (groupByteCount, total) = (0, 0)
    for declaration in tensors {
      let size = try declaration.requireByteCount(path: folder)
      if groupByteCount > 0 && size > maximumShardByteCount - groupByteCount {
        groups.append([])
        groupByteCount = 0
      }
      groups[groups.count - 1].append(declaration)
      let (sum, overflow) = total.addingReportingOverflow(size)
      guard !overflow else {
        throw CheckpointError(.invalidRequest, "the tensors exceed an Int of bytes", file: folder)
      }
      total = sum
      groupByteCount += size
    }
    return (groups, total)
  }

  private static let singleName = "model.safetensors"
  private static let indexName = "model.safetensors.index.json"

  private static func name(shard: Int, of count: Int) -> String {
    func padded(_ number: Int) -> String {
      String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
    }
    return "model-\(padded(shard))-of-\(padded(count)).safetensors"
  }

  private static func requireNoRival(
    _ folder: String,
    _ name: String
  ) throws(CheckpointError) {
    let path = (folder as NSString).appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: path) else { return }
    throw CheckpointError(
      .invalidRequest,
      "the folder has another checkpoint, which readers could take instead",
      file: path,
      remedy: "remove it, or write to another folder"
    )
  }

  /// Writes the next rows of a tensor, or all of it.
  ///
  /// - Parameters:
  ///   - tensor: Rows that follow those already appended: of the declared dtype and shape, but
  ///     for the first axis.
  ///   - name: The name of a declared tensor.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` if dtype, shape or number of rows
  ///   are not as declared, or `unwritable`.
  public mutating func append(_ tensor: Tensor, to name: String) throws(CheckpointError) {
    guard let index = shardIndices[name] else {
      throw CheckpointError(
        .invalidRequest,
        "tensor '\(name)' was not declared",
        file: folder,
        name: name
      )
    }
    try shards[index].append(tensor, to: name)
  }

  /// Gives all files their names, the index last.
  ///
  /// - Throws: ``CheckpointError`` with code `invalidRequest` if a tensor is not complete, or
  ///   `unwritable`. Files that are not finished then are removed.
  public consuming func finish() throws(CheckpointError) {
    for shard in shards { try shard.requireComplete() }
    let indexPath = (folder as NSString).appendingPathComponent(Self.indexName)
    // An index of an earlier run must not join files of this one.
    if shards.count > 1 { unlink(indexPath) }
    for shard in shards { try shard.finish() }
    guard shards.count > 1 else { return }
    try ReplacementFile.write(Array(indexText.utf8), to: indexPath)
  }

  private var indexText: String {
    let lines = shardIndices.sorted { $0.key < $1.key }
      .map { "    \($0.key.quotedForJSON): \(fileNames[$0.value].quotedForJSON)" }
    return """
      {
        "metadata": {
          "total_size": \(byteCount)
        },
        "weight_map": {
      \(lines.joined(separator: ",\n"))
        }
      }

      """
  }
}
