public import Checkpoints
public import Foundation

/// How much room a model takes on disk.
///
/// Weight files are all files that hold tensors: every shard of a folder, or the GGUF file, which
/// holds its vocabulary and other metadata as well. Everything in them counts: scales, zero
/// points, tensors that are not compressed, headers and padding.
public struct ModelSize: Sendable, Hashable, Codable {
  /// The size of the weight files, in bytes.
  public let byteCount: Int
  /// The size of the tensors alone, in bytes.
  public let tensorByteCount: Int
  /// The number of weights of the model, biases included and a tied head counted once, whatever
  /// the form in which they are stored.
  public let parameterCount: Int

  /// `8 · weight-file bytes / parameters`.
  public var bitsPerWeight: Double { Self.bits(byteCount, parameterCount) }
  /// `8 · tensor bytes / parameters`.
  public var tensorBitsPerWeight: Double { Self.bits(tensorByteCount, parameterCount) }

  /// Measures the files that hold some tensors.
  ///
  /// - Parameters:
  ///   - tensors: The opened checkpoint.
  ///   - parameterCount: The number of weights of the model.
  /// - Throws: An error of the file system.
  public init(of tensors: any TensorSource, parameterCount: Int) throws {
    var files: Set<String> = []
    var tensorBytes = 0
    for entry in tensors.entries {
      files.insert(entry.file)
      tensorBytes += entry.byteCount
    }
    var bytes = 0
    for file in files {
      let resolved = URL(filePath: file).resolvingSymlinksInPath().path
      let attributes = try FileManager.default.attributesOfItem(atPath: resolved)
      bytes += (attributes[.size] as? NSNumber)?.intValue ?? 0
    }
    self.init(
      byteCount: bytes,
      tensorByteCount: tensorBytes,
      parameterCount: parameterCount
    )
  }

  /// The size of a model in float32 that is not written yet, without the headers of its files.
  init(floats parameterCount: Int) {
    self.init(
      byteCount: 4 * parameterCount,
      tensorByteCount: 4 * parameterCount,
      parameterCount: parameterCount
    )
  }

  private init(byteCount: Int, tensorByteCount: Int, parameterCount: Int) {
    self.byteCount = byteCount
    self.tensorByteCount = tensorByteCount
    self.parameterCount = parameterCount
  }

  /// Measures a file or folder that a model was read from or exported to.
  ///
  /// Only the weight files that are opened count, whatever else lies in a folder. Of a format that
  /// is for other programs, everything counts.
  ///
  /// - Parameters:
  ///   - url: The file or folder.
  ///   - parameterCount: The number of weights of the model.
  /// - Throws: An error of the file system.
  public init(of url: URL, parameterCount: Int) throws {
    if let tensors = try? CheckpointFolder(url.path).open() {
      try self.init(of: tensors, parameterCount: parameterCount)
    } else {
      let bytes = try FileTree.wholeByteCount(of: url)
      self.init(byteCount: bytes, tensorByteCount: bytes, parameterCount: parameterCount)
    }
  }

  static func bits(_ bytes: Int, _ parameters: Int) -> Double {
    parameters == 0 ? 0 : 8 * Double(bytes) / Double(parameters)
  }
}
