internal import Checkpoints
public import Foundation
internal import Tensor

extension ImportanceMatrix {
  /// Reads a file of `llama-imatrix`: GGUF, or the older format that is usually named `.dat`.
  ///
  /// A `.dat` file has mean squares times a number of sequences, which becomes the entry's count.
  ///
  /// - Parameter url: The file.
  /// - Throws: ``ModelError`` if it is no importance matrix or has numbers that are negative or
  ///   not finite; `CheckpointError` if it cannot be read.
  ///
  /// Source: llama.cpp, `common/imatrix-loader.cpp`. Differs from it in refusing the matrices of
  /// several experts, and numbers that are not finite when the file is read.
  public init(contentsOf url: URL) throws {
    let file = try MappedFile(path: url.path)
    let isGGUF = file.withBytes { $0.prefix(4).elementsEqual("GGUF".utf8) }
    self = isGGUF ? try Self.gguf(url.path) : try Self.legacy(file)
    guard !entries.isEmpty else { throw Self.invalid(url.path, "it has no entries") }
    for (name, entry) in entries {
      guard entry.sumsOfSquares.elements(as: Float.self).allSatisfy({ $0 >= 0 && $0.isFinite })
      else {
        throw Self.invalid("\(url.path): \(name)", "a sum of squares is negative or not finite")
      }
    }
  }

  private static func gguf(_ path: String) throws -> ImportanceMatrix {
    let file = try GGUFFile(path: path)
    let keys = ["imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"]
    for key in keys where file.metadata[key] == nil {
      throw invalid(path, "the key `\(key)` of importance matrices is missing")
    }
    var result = ImportanceMatrix(
      datasets: try file.metadata.strings(keys[0]),
      chunkCount: try file.metadata.integer(keys[1]),
      chunkSize: try file.metadata.integer(keys[2])
    )
    for entry in file.entries where entry.name.hasSuffix(sumSuffix) {
      let name = String(entry.name.dropLast(sumSuffix.count))
      guard let counts = file.entry(name + countSuffix) else {
        throw invalid("\(path): \(name)", "there are sums but no counts")
      }
      guard entry.encoding == .elements(.float32), counts.encoding == .elements(.float32) else {
        throw invalid("\(path): \(name)", "sums or counts are not float32")
      }
      guard counts.shape.count == 1 else {
        throw ModelError(
          .unsupported,
          "it has \(counts.shape.count) matrices of experts",
          at: "\(path): \(name)",
          remedy: "use the importance matrix of a model without experts"
        )
      }
      let count = try file.tensor(counts.name).elements(as: Float.self)[0].rounded()
      guard count >= 0, count < 0x1p62 else {
        throw invalid("\(path): \(name)", "the count \(count) is no number of inputs")
      }
      result.entries[module(name)] = Entry(
        sumsOfSquares: try file.tensor(entry.name).reshaped([entry.shape.count]),
        count: Int(count)
      )
    }
    return result
  }

  private static func legacy(_ file: MappedFile) throws -> ImportanceMatrix {
    var reader = LegacyReader(file: file)
    var result = ImportanceMatrix()
    let count = try reader.integer("the number of entries", in: 1...(1 << 20))
    for _ in 0..<count {
      let name = try reader.text("the name of an entry")
      let calls = try reader.integer("a number of sequences", in: Int(Int32.min)...Int(Int32.max))
      let columns = try reader.integer("a number of columns", in: 1...Int(Int32.max))
      let sums = try reader.floats(columns)
      // Without a number of sequences the numbers are means themselves.
      result.entries[module(name)] = Entry(sumsOfSquares: Tensor(sums), count: max(1, calls))
    }
    // What follows is optional.
    guard reader.isAtEnd == false else { return result }
    let all = Int(Int32.min)...Int(Int32.max)
    result.chunkCount = max(0, try reader.integer("the number of sequences", in: all))
    guard reader.isAtEnd == false else { return result }
    let dataset = try reader.text("the name of the text")
    if !dataset.isEmpty { result.datasets = [dataset] }
    return result
  }

  /// Writes a GGUF file as `llama-imatrix` writes it.
  ///
  /// - Parameter url: The file; one that is there is replaced.
  /// - Throws: `CheckpointError` if the file cannot be written.
  public func write(to url: URL) throws {
    var metadata = GGUFMetadata()
    metadata["general.type"] = .string("imatrix")
    metadata["imatrix.datasets"] = .array(GGUFArray(datasets))
    metadata["imatrix.chunk_count"] = .uint32(UInt32(clamping: chunkCount))
    metadata["imatrix.chunk_size"] = .uint32(UInt32(clamping: chunkSize))
    let named = entries.map { (name: Self.tensorName($0), entry: $1) }.sorted { $0.name < $1.name }
    var writer = try GGUFWriter(
      path: url.path,
      metadata: metadata,
      tensors: named.flatMap { name, entry in
        [
          TensorDeclaration(
            name + Self.sumSuffix,
            dtype: .float32,
            shape: entry.sumsOfSquares.shape
          ),
          TensorDeclaration(name + Self.countSuffix, dtype: .float32, shape: [1]),
        ]
      }
    )
    for (name, entry) in named {
      try writer.append(entry.sumsOfSquares, to: name + Self.sumSuffix)
      try writer.append(Tensor([Float(entry.count)]), to: name + Self.countSuffix)
    }
    try writer.finish()
  }

  private static let sumSuffix = ".in_sum2"
  private static let countSuffix = ".counts"

  /// The layer that a tensor of a file belongs to.
  private static func module(_ tensor: String) -> String {
    guard tensor.hasSuffix(".weight") else { return tensor }
    return GGUFNames.module(of: String(tensor.dropLast(7))) ?? tensor
  }

  private static func tensorName(_ module: String) -> String {
    GGUFNames.name(of: module).map { $0 + ".weight" } ?? module
  }

  fileprivate static func invalid(_ place: String, _ problem: String) -> ModelError {
    ModelError(
      .invalid,
      problem,
      at: place,
      remedy: "make the importance matrix again, as with llama-imatrix"
    )
  }
}

/// Reads the older format field by field.
private struct LegacyReader {
  let file: MappedFile
  private var position = 0

  init(file: MappedFile) { self.file = file }

  var isAtEnd: Bool { position == file.byteCount }

  mutating func bytes(_ count: Int, _ field: String) throws -> [UInt8] {
    guard count <= file.byteCount - position else {
      throw ImportanceMatrix.invalid(
        file.path,
        "it is no importance matrix, or ends before \(field) at byte \(position)"
      )
    }
    defer { position += count }
    return file.withBytes { Array($0[position..<position + count]) }
  }

  mutating func integer(_ field: String, in range: ClosedRange<Int>) throws -> Int {
    let start = position
    let bits = try bytes(4, field).withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    let value = Int(Int32(bitPattern: UInt32(littleEndian: bits)))
    guard range.contains(value) else {
      throw ImportanceMatrix.invalid(
        file.path,
        "it is no importance matrix: \(field) is \(value) at byte \(start)"
      )
    }
    return value
  }

  mutating func text(_ field: String) throws -> String {
    let count = try integer("the length of \(field)", in: 0...(1 << 16))
    return String(decoding: try bytes(count, field), as: UTF8.self)
  }

  mutating func floats(_ count: Int) throws -> [Float] {
    let bytes = try bytes(4 * count, "\(count) numbers")
    return bytes.withUnsafeBytes { bytes in
      (0..<count).map { index in
        let bits = bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
        return Float(bitPattern: UInt32(littleEndian: bits))
      }
    }
  }
}
