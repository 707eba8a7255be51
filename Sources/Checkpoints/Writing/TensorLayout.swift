internal import Tensor

/// Where declared tensors go in a file, and how much of each is written.
///
/// Both formats' writers put a header and a layout together; the rest is the same.
final class TensorLayout {
  private struct Place {
    var declaration: TensorDeclaration
    var range: Range<Int>
    var written = 0
  }

  private let file: ReplacementFile
  private var places: [String: Place] = [:]

  /// Creates the file and writes its header.
  ///
  /// - Parameters:
  ///   - path: The final path.
  ///   - header: The first bytes of the file.
  ///   - tensors: Declarations with the ranges of their bytes in the file.
  ///   - byteCount: The size of the file.
  /// - Throws: ``CheckpointError`` with code `unwritable`.
  init(
    path: String,
    header: [UInt8],
    tensors: [(declaration: TensorDeclaration, range: Range<Int>)],
    byteCount: Int
  ) throws(CheckpointError) {
    self.file = try ReplacementFile(path: path, byteCount: byteCount)
    for (declaration, range) in tensors {
      places[declaration.name] = Place(declaration: declaration, range: range)
    }
    try file.write(header, at: 0)
  }

  var path: String { file.path }

  func contains(_ name: String) -> Bool { places[name] != nil }

  private func error(_ problem: String, _ name: String) -> CheckpointError {
    CheckpointError(.invalidRequest, problem, file: file.path, name: name)
  }

  /// Writes the next rows of a tensor, or all of it.
  func append(_ tensor: Tensor, to name: String) throws(CheckpointError) {
    guard let place = places[name] else {
      throw error("tensor '\(name)' was not declared", name)
    }
    guard Self.isPart(tensor, of: place.declaration) else {
      throw error(
        "\(tensor.shape) of \(tensor.dtype) is no part of tensor '\(name)', "
          + "\(place.declaration.shape) of \(place.declaration.encoding)",
        name
      )
    }
    let start = place.range.lowerBound + place.written
    guard start + tensor.byteCount <= place.range.upperBound else {
      throw error("more rows for tensor '\(name)' than its \(place.declaration.shape)", name)
    }
    try tensor.withBytes { bytes throws(CheckpointError) in try file.write(bytes, at: start) }
    places[name]?.written += tensor.byteCount
  }

  /// Whether a tensor is a run of rows of what was declared.
  private static func isPart(_ tensor: Tensor, of declaration: TensorDeclaration) -> Bool {
    let shape = declaration.shape
    switch declaration.encoding {
    case .elements(let dtype):
      return tensor.dtype == dtype && tensor.shape.rank == shape.rank
        && tensor.shape.dimensions.dropFirst() == shape.dimensions.dropFirst()
    case .blocks(let format):
      return tensor.dtype == .uint8 && tensor.shape.rank > 0
        && tensor.shape.columns == format.rowByteCount(columns: shape.columns)
    case .unsupported:
      return tensor.dtype == .uint8
    }
  }

  /// Throws if a tensor is not complete.
  func requireComplete() throws(CheckpointError) {
    let incomplete = places.values.filter { $0.written < $0.range.count }
      .min { $0.range.lowerBound < $1.range.lowerBound }
    guard let incomplete else { return }
    let name = incomplete.declaration.name
    throw error(
      "tensor '\(name)' has \(incomplete.written) of \(incomplete.range.count) bytes",
      name
    )
  }

  /// Checks that every tensor is complete and gives the file its name.
  func finish() throws(CheckpointError) {
    try requireComplete()
    try file.finish()
  }
}

extension [TensorDeclaration] {
  /// Throws if two declarations have the same name.
  func requireUniqueNames(path: String) throws(CheckpointError) {
    var names: Set<String> = []
    for declaration in self where !names.insert(declaration.name).inserted {
      throw CheckpointError(
        .invalidRequest,
        "tensor '\(declaration.name)' is declared twice",
        file: path,
        name: declaration.name
      )
    }
  }
}

extension TensorDeclaration {
  /// The size of the tensor in bytes.
  func requireByteCount(path: String) throws(CheckpointError) -> Int {
    guard let byteCount = encoding.byteCount(of: shape) else {
      throw CheckpointError(
        .invalidRequest,
        "tensor '\(name)', \(shape) of \(encoding), has no size in bytes",
        file: path,
        name: name
      )
    }
    return byteCount
  }
}
