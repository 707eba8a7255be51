internal import Foundation
public import Tensor

/// Arrays that another implementation computed, by name: see Tests/Golden.
public struct Golden: Sendable {
  private let tensors: [String: Tensor]

  /// What went wrong in reading a file of goldens.
  public struct ReadingError: Error {
    /// The file's name.
    public let file: String
  }

  /// Reads a safetensors file of Tests/Golden.
  public init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Golden")
    let data = try Data(contentsOf: folder.appendingPathComponent(name))
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try JSONSerialization.jsonObject(with: data[8..<8 + length])
    guard let entries = header as? [String: [String: Any]] else { throw ReadingError(file: name) }
    var tensors: [String: Tensor] = [:]
    for (key, entry) in entries where key != "__metadata__" {
      guard let offsets = entry["data_offsets"] as? [Int], let shape = entry["shape"] as? [Int],
        let type = entry["dtype"] as? String,
        let dtype = ["F32": DType.float32, "F64": .float64, "U8": .uint8, "I32": .int32][type]
      else { throw ReadingError(file: name) }
      let bytes = Array(data[8 + length + offsets[0]..<8 + length + offsets[1]])
      tensors[key] = Tensor(bytes, shape: [bytes.count]).withBytes { source in
        let tensor = Tensor(uninitialized: Shape(shape), dtype: dtype)
        UnsafeMutableRawBufferPointer(start: tensor.unsafeBase, count: source.count)
          .copyMemory(from: source)
        return tensor
      }
    }
    self.tensors = tensors
  }

  /// The array with a name.
  public subscript(name: String) -> Tensor {
    guard let tensor = tensors[name] else { fail("golden: no array \(name)") }
    return tensor
  }
}
