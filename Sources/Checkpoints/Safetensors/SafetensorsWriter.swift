public import Tensor

/// Writes a safetensors file tensor by tensor, in memory that does not grow with the file.
///
/// All tensors are declared first, since the header precedes them; then each is appended, whole
/// or in runs of rows, in any order. The file appears under its name only when it is complete.
///
/// ```swift
/// var writer = try SafetensorsWriter(
///   path: "model.safetensors",
///   tensors: [TensorDeclaration("w", dtype: .bfloat16, shape: [4096, 576])])
/// for start in stride(from: 0, to: 4096, by: 512) {
///   try writer.append(weight.rows(start..<start + 512), to: "w")
/// }
/// try writer.finish()
/// ```
///
/// In the file, tensors with larger elements come first, so that each starts at a multiple of
/// its elements' size, as readers that map files need; otherwise they keep the order of their
/// declarations. `__metadata__` always has `format: pt`, without which transformers refuses
/// files.
public struct SafetensorsWriter: ~Copyable {
  private let layout: TensorLayout

  /// Creates the file under a temporary name and writes the header.
  ///
  /// - Parameters:
  ///   - path: The path of the finished file; an existing file is replaced at the end.
  ///   - tensors: What will be appended.
  ///   - metadata: Texts for the header's `__metadata__`.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` for declarations that the format
  ///   cannot hold, or `unwritable`, also when the disk has no room for the whole file.
  public init(
    path: String,
    tensors: [TensorDeclaration],
    metadata: [String: String] = [:]
  ) throws(CheckpointError) {
    self.layout = try Self.layout(path: path, tensors: tensors, metadata: metadata)
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
    try layout.append(tensor, to: name)
  }

  /// Waits until all bytes are on the disk, then gives the file its name.
  ///
  /// - Throws: ``CheckpointError`` with code `invalidRequest` if a tensor is not complete, or
  ///   `unwritable`. The temporary file is removed then.
  public consuming func finish() throws(CheckpointError) { try layout.finish() }

  static func layout(
    path: String,
    tensors: [TensorDeclaration],
    metadata: [String: String]
  ) throws(CheckpointError) -> TensorLayout {
    let (header, placed, byteCount) = try plan(path: path, tensors: tensors, metadata: metadata)
    return try TensorLayout(path: path, header: header, tensors: placed, byteCount: byteCount)
  }

  /// The first bytes of a file, where in it each tensor lies, and how large it is; writes nothing.
  static func plan(
    path: String,
    tensors: [TensorDeclaration],
    metadata: [String: String]
  ) throws(CheckpointError) -> (
    header: [UInt8], tensors: [(declaration: TensorDeclaration, range: Range<Int>)],
    byteCount: Int
  ) {
    try tensors.requireUniqueNames(path: path)
    var placed: [(declaration: TensorDeclaration, range: Range<Int>)] = []
    var end = 0
    for (declaration, _) in try sortedBySize(tensors, path: path) {
      let byteCount = try declaration.requireByteCount(path: path)
      let (next, overflow) = end.addingReportingOverflow(byteCount)
      guard !overflow else {
        throw CheckpointError(.invalidRequest, "the tensors exceed an Int of bytes", file: path)
      }
      placed.append((declaration, end..<next))
      end = next
    }
    let header = header(placed, metadata: metadata)
    guard header.count - 8 <= SafetensorsHeader.maximumByteCount else {
      throw CheckpointError(
        .invalidRequest,
        "a header of \(header.count - 8) bytes, which no reader takes",
        file: path,
        remedy: "write several files"
      )
    }
    for index in placed.indices {
      let range = placed[index].range
      placed[index].range = range.lowerBound + header.count..<range.upperBound + header.count
    }
    return (header, placed, header.count + end)
  }

  /// The declarations with the sizes of their elements, larger ones first.
  private static func sortedBySize(
    _ tensors: [TensorDeclaration],
    path: String
  ) throws(CheckpointError) -> [(declaration: TensorDeclaration, size: Int)] {
    var sized: [(declaration: TensorDeclaration, size: Int)] = []
    for declaration in tensors {
      guard case .elements(let dtype) = declaration.encoding, declaration.name != "__metadata__"
      else {
        throw CheckpointError(
          .invalidRequest,
          "a safetensors file cannot hold tensor '\(declaration.name)' of \(declaration.encoding)",
          file: path,
          name: declaration.name
        )
      }
      sized.append((declaration, dtype.byteCount))
    }
    // Swift's sort is stable, which `sort` promises only in practice; the order is then part of
    // the file, so equal sizes are told apart by position.
    return sized.enumerated()
      .sorted { ($1.element.size, $0.offset) < ($0.element.size, $1.offset) }
      .map(\.element)
  }

  /// The length and the JSON text, padded with spaces to a multiple of 8 bytes.
  private static func header(
    _ placed: [(declaration: TensorDeclaration, range: Range<Int>)],
    metadata: [String: String]
  ) -> [UInt8] {
    var metadata = metadata
    metadata["format"] = "pt"
    let texts = metadata.sorted { $0.key < $1.key }
      .map { "\($0.key.quotedForJSON):\($0.value.quotedForJSON)" }
    var text = "{\"__metadata__\":{\(texts.joined(separator: ","))}"
    for (declaration, range) in placed {
      guard case .elements(let dtype) = declaration.encoding else { continue }
      let extents = declaration.shape.dimensions.map(String.init).joined(separator: ",")
      text += ",\(declaration.name.quotedForJSON):{\"dtype\":\"\(SafetensorsType.name(of: dtype))\""
      text += ",\"shape\":[\(extents)]"
      text += ",\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}"
    }
    text += "}"
    while text.utf8.count % 8 != 0 { text += " " }
    var encoder = FieldEncoder()
    encoder.append(UInt64(text.utf8.count))
    return encoder.bytes + text.utf8
  }
}

extension String {
  /// The string as a JSON literal, quotes included.
  var quotedForJSON: String {
    var result = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case let control where control.value < 0x20:
        result += control.value < 0x10 ? "\\u000" : "\\u00"
        result += String(control.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
