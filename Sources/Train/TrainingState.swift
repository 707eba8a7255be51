internal import Checkpoints
internal import Crypto
internal import Foundation
internal import Tensor

/// What a training counts from step to step.
struct TrainingCounters: Codable, Equatable {
  /// What had the least validation loss, and the checksum of the file it is kept in.
  struct Best: Codable, Equatable {
    var step: Int
    var loss: Double
    var checksum: String?
  }

  var step = 0
  var tokenCount = 0
  var lastLoss: Double?
  /// The sum of losses with falling weights, and the sum of the weights.
  var smoothedLoss = 0.0
  var smoothedWeight = 0.0
  var validations: [TrainingResult.Validation] = []
  var best: Best?
  var validationsWithoutImprovement = 0
  var averageUpdates = 0
  /// Whether validation stopped improving.
  var hasStopped = false
}

/// state.json: everything of a saved state but the tensors.
struct TrainingRecord: Codable, Equatable {
  static let currentFormat = 1
  var format = currentFormat
  /// What the training was asked for, by name.
  var fingerprint: [String: String]
  var counters: TrainingCounters
  /// The lengths of the files of metrics.
  var byteCounts: TrainingMetrics.ByteCounts
  /// The checksum of the tensors' file.
  var tensorChecksum: String
  /// The checksum of this record with an empty text here.
  var checksum = ""

  /// The record with its checksum, as JSON.
  func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    var record = self
    record.checksum = ""
    record.checksum = SHA256.hash(data: try encoder.encode(record)).text
    return try encoder.encode(record)
  }
}

/// The folder of a saved state.
///
///     state/
///       state.json                       counters, checksums, what the training was asked for
///       tensors-000200.safetensors       parameters, optimizer, moving average after step 200
///       best-000150.safetensors          the parameters with the least validation loss
///
/// state.json names, by the steps in it, the other two, and takes its place in one moment after
/// they are complete; what it no longer names is removed after that. A process that is killed at
/// any time so leaves the older state or the newer one, never half of each.
struct TrainingState {
  let folder: URL

  private var recordFile: URL { folder.appending(path: "state.json") }

  private func file(_ kind: String, _ step: Int) -> URL {
    let digits = String(step)
    let zeros = String(repeating: "0", count: max(0, 6 - digits.count))
    return folder.appending(path: "\(kind)-\(zeros)\(digits).safetensors")
  }

  // MARK: - Writing

  /// Creates the folder.
  func prepare() throws(TrainingError) {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw unwritable(folder, error.localizedDescription)
    }
  }

  /// Writes a state and removes the one before it.
  ///
  /// - Complexity: Tensor by tensor; nothing is copied in memory.
  func write(
    _ counters: TrainingCounters,
    fingerprint: [String: String],
    byteCounts: TrainingMetrics.ByteCounts,
    tensors: [(name: String, tensor: Tensor)]
  ) throws(TrainingError) {
    let checksum = try writeTensors(tensors, to: file("tensors", counters.step))
    let record = TrainingRecord(
      fingerprint: fingerprint,
      counters: counters,
      byteCounts: byteCounts,
      tensorChecksum: checksum
    )
    do {
      try ReplacementFile.write(Array(try record.encoded()), to: recordFile.path)
    } catch {
      throw unwritable(recordFile, "\(error)")
    }
    clean(keeping: record)
  }

  /// Writes the parameters with the least validation loss and returns the checksum.
  func writeBest(
    _ tensors: [(name: String, tensor: Tensor)],
    step: Int
  ) throws(TrainingError) -> String {
    try writeTensors(tensors, to: file("best", step))
  }

  private func writeTensors(
    _ tensors: [(name: String, tensor: Tensor)],
    to file: URL
  ) throws(TrainingError) -> String {
    let tensors = tensors.sorted { $0.name < $1.name }
    var digest = TensorDigest()
    do throws(CheckpointError) {
      var writer = try SafetensorsWriter(
        path: file.path,
        tensors: tensors.map {
          TensorDeclaration($0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
        }
      )
      for (name, tensor) in tensors {
        try writer.append(tensor, to: name)
        digest.add(name, tensor)
      }
      try writer.finish()
    } catch {
      throw unwritable(file, "\(error.problem)")
    }
    return digest.text
  }

  private func unwritable(_ file: URL, _ problem: String) -> TrainingError {
    TrainingError(
      .unwritable,
      "the state of the training cannot be saved: \(problem)",
      at: file.path,
      remedy: "make room or choose another folder; the state before it is kept"
    )
  }

  /// Removes what a record does not name, and what killed processes left half written.
  func clean(keeping record: TrainingRecord?) {
    var kept: Set<String> = []
    if let record {
      kept = [
        recordFile.lastPathComponent, file("tensors", record.counters.step).lastPathComponent,
      ]
      if let best = record.counters.best {
        kept.insert(file("best", best.step).lastPathComponent)
      }
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in names where !kept.contains(name) {
      let isOwn =
        name.hasSuffix(".safetensors") && (name.hasPrefix("tensors-") || name.hasPrefix("best-"))
        || name.hasPrefix(".") && name.hasSuffix(".partial")
      // What stays behind costs room, nothing else.
      if isOwn { try? FileManager.default.removeItem(at: folder.appending(path: name)) }
    }
  }

  // MARK: - Reading

  /// Reads state.json; nil if there is none.
  ///
  /// - Throws: ``TrainingError`` with code `damagedState`, or `stateOfAnother` if the training was
  ///   asked for something else.
  func read(fingerprint: [String: String]) throws(TrainingError) -> TrainingRecord? {
    guard FileManager.default.fileExists(atPath: recordFile.path) else { return nil }
    let record: TrainingRecord
    do {
      let data = try Data(contentsOf: recordFile)
      record = try JSONDecoder().decode(TrainingRecord.self, from: data)
      guard try record.encoded() == data else {
        throw damaged(recordFile, "the text is not what was written")
      }
    } catch let error as TrainingError {
      throw error
    } catch {
      throw damaged(recordFile, "the text cannot be read")
    }
    guard record.format == TrainingRecord.currentFormat else {
      throw TrainingError(
        .stateOfAnother,
        "the state has format \(record.format), this version reads "
          + "\(TrainingRecord.currentFormat)",
        at: recordFile.path,
        remedy: "go on with the version that saved it, or remove the folder to start again"
      )
    }
    guard record.fingerprint == fingerprint else {
      let names = Set(record.fingerprint.keys).union(fingerprint.keys).sorted()
      let differences = names.filter { record.fingerprint[$0] != fingerprint[$0] }.map { name in
        "\(name) (was \(Self.quoted(record.fingerprint[name])), "
          + "is \(Self.quoted(fingerprint[name])))"
      }
      throw TrainingError(
        .stateOfAnother,
        "the state was saved by another training; different: "
          + differences.joined(separator: ", "),
        at: recordFile.path,
        remedy: "go on with the same recipe, or remove the folder to start again"
      )
    }
    return record
  }

  private static func quoted(_ text: String?) -> String {
    guard let text else { return "absent" }
    return text.count > 300 ? "'\(text.prefix(300))…'" : "'\(text)'"
  }

  /// Opens the tensors of a record and checks every byte.
  func tensors(_ record: TrainingRecord) throws(TrainingError) -> SafetensorsFile {
    try open(file("tensors", record.counters.step), checksum: record.tensorChecksum)
  }

  /// Opens the parameters with the least validation loss and checks every byte.
  func best(_ best: TrainingCounters.Best) throws(TrainingError) -> SafetensorsFile {
    try open(file("best", best.step), checksum: best.checksum ?? "")
  }

  private func open(_ file: URL, checksum: String) throws(TrainingError) -> SafetensorsFile {
    do throws(CheckpointError) {
      let opened = try SafetensorsFile(path: file.path)
      var digest = TensorDigest()
      for entry in opened.entries.sorted(by: { $0.name < $1.name }) {
        let tensor = try opened.tensor(entry.name)
        digest.add(entry.name, tensor)
        tensor.discardPages()
      }
      guard digest.text == checksum else {
        throw CheckpointError(.malformed, "the bytes are not those written", file: file.path)
      }
      return opened
    } catch {
      throw damaged(file, error.problem)
    }
  }

  /// Returns a tensor of an opened file, in memory of its own.
  func tensor(
    _ name: String,
    of file: SafetensorsFile,
    shape: Shape,
    dtype: DType
  ) throws(TrainingError) -> Tensor {
    do throws(CheckpointError) {
      let tensor = try file.tensor(name)
      guard tensor.shape == shape && tensor.dtype == dtype else {
        throw CheckpointError(
          .malformed,
          "tensor '\(name)' is \(tensor.shape) of \(tensor.dtype), not \(shape) of \(dtype)",
          file: file.file.path
        )
      }
      let copy = tensor.copied()
      tensor.discardPages()
      return copy
    } catch {
      throw damaged(URL(filePath: file.file.path), error.problem)
    }
  }

  private func damaged(_ file: URL, _ problem: String) -> TrainingError {
    TrainingError(
      .damagedState,
      "the saved state is damaged: \(problem)",
      at: file.path,
      remedy: "restore the folder from a copy, or remove it to start again"
    )
  }
}

/// A checksum of named tensors.
struct TensorDigest {
  private var hash = SHA256()

  /// Takes a tensor into account: its name, type, shape and bytes.
  mutating func add(_ name: String, _ tensor: Tensor) {
    let label = "\(name.utf8.count):\(name) \(tensor.dtype.rawValue) \(tensor.shape)\n"
    hash.update(data: Data(label.utf8))
    tensor.withBytes { hash.update(bufferPointer: $0) }
  }

  var text: String { hash.finalize().text }
}

extension SHA256.Digest {
  /// The digest in hexadecimal digits.
  var text: String {
    map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}
