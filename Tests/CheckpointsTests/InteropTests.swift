import Foundation
import Tensor
import Testing

@testable import Checkpoints

/// Writes files for Tests/Interop/checkpoints_interop.py, which reads them with the reference
/// readers, into the folder that `SLM_INTEROP_FOLDER` names.
@Suite(
  "Files for other readers",
  .enabled(if: ProcessInfo.processInfo.environment["SLM_INTEROP_FOLDER"] != nil)
)
struct InteropTests {
  let folder = ProcessInfo.processInfo.environment["SLM_INTEROP_FOLDER"] ?? "."

  @Test("in safetensors")
  func safetensors() throws {
    let tensors = DType.allCases.map { TensorDeclaration($0.rawValue, dtype: $0, shape: [2, 3]) }
    var writer = try SafetensorsWriter(
      path: "\(folder)/types.safetensors",
      tensors: tensors,
      metadata: ["naïve": "“é”\n"]
    )
    for (index, dtype) in DType.allCases.enumerated() {
      let data =
        dtype == .bool ? [0, 1, 0, 1, 0, 1] : pattern(index, count: 6 * dtype.byteCount)
      let value = tensor(data, dtype, shape: [2, 3])
      for row in 0..<2 { try writer.append(value.rows(row..<row + 1), to: dtype.rawValue) }
    }
    try writer.finish()
  }

  @Test("in shards")
  func shards() throws {
    let path = "\(folder)/sharded"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let tensors = (0..<5).map { TensorDeclaration("t\($0)", dtype: .float32, shape: [2, 4]) }
    var writer = try ShardedSafetensorsWriter(
      folder: path,
      tensors: tensors,
      maximumShardByteCount: 70
    )
    for index in 0..<5 {
      let values = (0..<8).map { Float(10 * index + $0) }
      try writer.append(Tensor(values, shape: [2, 4]), to: "t\(index)")
    }
    try writer.finish()
  }

  @Test("in GGUF")
  func gguf() throws {
    let source = try GGUFFile(path: golden("types.gguf"))
    let rows = try SafetensorsFile(path: golden("blocks.safetensors")).tensor("rows")
    let formats = BlockFormat.allCases.filter(\.roundsByExtremes)
    let copied = source.entries.filter { $0.name != "unreadable" }
    let tensors =
      copied.map { TensorDeclaration($0.name, $0.encoding, shape: $0.shape) }
      + formats.map { TensorDeclaration("rows.\($0.name)", .blocks($0), shape: rows.shape) }
    var writer = try GGUFWriter(
      path: "\(folder)/types.gguf",
      metadata: source.metadata,
      tensors: tensors
    )
    for entry in copied {
      if case .elements = entry.encoding {
        try writer.append(try source.tensor(entry.name), to: entry.name)
      } else {
        try writer.append(try source.bytes(entry.name), to: entry.name)
      }
    }
    for format in formats {
      try writer.append(rows.roundedToBlocks(format), to: "rows.\(format.name)")
    }
    try writer.finish()
  }
}
