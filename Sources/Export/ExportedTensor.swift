internal import Checkpoints
internal import Foundation
internal import Models
internal import Tensor

/// A tensor of a file to be written: what it is, and how its rows are made.
struct ExportedTensor {
  /// Its name, layout and shape.
  let declaration: TensorDeclaration
  /// Calls back with consecutive runs of rows that together are the tensor.
  let eachRun: ((Tensor) throws -> Void) throws -> Void

  init(
    _ declaration: TensorDeclaration,
    eachRun: @escaping ((Tensor) throws -> Void) throws -> Void
  ) {
    self.declaration = declaration
    self.eachRun = eachRun
  }

  /// A tensor that is in memory, or a view of a file.
  init(_ name: String, _ tensor: Tensor) {
    self.init(TensorDeclaration(name, dtype: tensor.dtype, shape: tensor.shape)) { body in
      try body(tensor)
    }
  }

  /// A matrix that is converted run by run.
  ///
  /// - Parameters:
  ///   - name: The name in the file.
  ///   - linear: The layer.
  ///   - encoding: What the file stores.
  ///   - order: For each row of the file, its row in the matrix; nil for the same order.
  ///   - importance: The weights of the columns in rounding to blocks; nil for none.
  ///   - meter: Where to note how far numbers are moved; nil if that is not asked for.
  init(
    _ name: String,
    _ linear: Linear,
    as encoding: TensorEncoding,
    order: [Int32]? = nil,
    importance: Tensor? = nil,
    meter: ErrorMeter? = nil
  ) {
    let declaration = TensorDeclaration(name, encoding, shape: [linear.rows, linear.columns])
    self.init(declaration) { body in
      let weight = linear.weight
      // Runs of a few megabytes stay in cache between being widened, rounded and written; a
      // matrix whose rows change places is taken as a whole.
      let runLength =
        order == nil ? max(1, (1 << 20) / max(1, linear.columns)) : max(1, linear.rows)
      for start in stride(from: 0, to: linear.rows, by: runLength) {
        let range = start..<min(linear.rows, start + runLength)
        let rows = try weight.rows(
          range,
          as: encoding,
          importance: importance,
          name: linear.name
        )
        try meter?.note(linear.name, weight, range, rows, encoding)
        try body(order.map { rows.gathered(rows: $0) } ?? rows)
      }
    }
  }
}

/// A part of a file whose tensors are written together, after which the model's part is released.
struct ExportedSection {
  var tensors: [ExportedTensor]
  /// Forgets what was read of the model.
  var release: () -> Void = {}
}

extension [ExportedSection] {
  /// All tensors in order.
  var declarations: [TensorDeclaration] { flatMap { $0.tensors.map(\.declaration) } }

  /// The size of all tensors, in bytes.
  var byteCount: Int { declarations.reduce(0) { $0 + $1.byteCount } }

  /// Makes every tensor run by run, section after section.
  func forEachRun(
    _ progress: (_ done: Int, _ total: Int) -> Void = { _, _ in },
    _ body: (_ name: String, _ rows: Tensor) throws -> Void
  ) throws {
    for (index, section) in enumerated() {
      for tensor in section.tensors {
        try tensor.eachRun { try body(tensor.declaration.name, $0) }
      }
      section.release()
      progress(index + 1, count)
    }
  }

  /// Compares a file that was written with what was to be written.
  ///
  /// - Throws: ``ExportError`` that names the first tensor that differs.
  func verify(_ source: any TensorSource, at path: String) throws {
    func differ(_ problem: String, _ name: String) -> ExportError {
      ExportError(
        .different,
        problem,
        at: "\(path): \(name)",
        remedy: "the disk or the memory is faulty, or the program has an error; write it again"
      )
    }
    let expected = declarations
    guard source.entries.count == expected.count else {
      throw differ("\(source.entries.count) tensors instead of \(expected.count)", "header")
    }
    for declaration in expected {
      guard let entry = source.entry(declaration.name), entry.encoding == declaration.encoding,
        entry.shape == declaration.shape
      else { throw differ("the tensor is missing, or of another type or shape", declaration.name) }
    }
    var position: (name: String, rows: Int) = ("", 0)
    try forEachRun { name, rows in
      if position.name != name { position = (name, 0) }
      let stored = try source.bytes(name)
      let count = rows.byteCount
      let isEqual = stored.withBytes { stored in
        rows.withBytes { rows in
          guard let a = stored.baseAddress, let b = rows.baseAddress else { return count == 0 }
          return position.rows + count <= stored.count && memcmp(a + position.rows, b, count) == 0
        }
      }
      guard isEqual else { throw differ("the numbers differ from those in memory", name) }
      position.rows += count
      // Otherwise the whole file would be resident in the end.
      if position.rows == stored.byteCount { stored.discardPages() }
    }
  }
}

extension TensorDeclaration {
  /// The size in a file, in bytes.
  var byteCount: Int {
    switch encoding {
    case .elements(let dtype): shape.count * dtype.byteCount
    case .blocks(let format): shape.rows * (format.rowByteCount(columns: shape.columns) ?? 0)
    case .unsupported: 0
    }
  }
}
