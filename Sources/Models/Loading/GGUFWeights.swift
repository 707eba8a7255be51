internal import Checkpoints
internal import Tensor

/// The weights of a GGUF file, with query and key rows in Hugging Face's order.
struct GGUFWeights: WeightSource {
  let tensors: GGUFFile
  let configuration: ModelConfiguration
  let file: String

  func contains(_ module: String) -> Bool {
    GGUFNames.name(of: "\(module).weight").flatMap { tensors.entry($0) } != nil
  }

  func matrix(_ module: String, rows: Int, columns: Int) throws -> StoredWeight {
    let (name, entry) = try located("\(module).weight", [rows, columns])
    let order = rowOrder(of: module, rows: rows)
    switch entry.encoding {
    case .elements(let dtype) where dtype.isFloatingPoint:
      let elements = try tensors.tensor(name)
      return StoredWeight(rows: rows, columns: columns, format: .elements(dtype)) {
        DenseWeight(order.map { elements.gathered(rows: $0) } ?? elements)
      }
    case .blocks(let format):
      let blocks = try tensors.bytes(name)
      return StoredWeight(rows: rows, columns: columns, format: .blocks(format)) {
        BlockQuantizedWeight(
          blocks: order.map { blocks.gathered(rows: $0) } ?? blocks,
          format: format,
          columns: columns
        )
      }
    default: throw unsupportedType("\(entry.encoding)", name, in: file)
    }
  }

  func vector(_ name: String, count: Int) throws -> Tensor {
    let (stored, entry) = try located(name, [count])
    guard case .elements(let dtype) = entry.encoding, dtype.isFloatingPoint else {
      throw unsupportedType("\(entry.encoding)", stored, in: file)
    }
    let tensor = try tensors.tensor(stored)
    let module = name.split(separator: ".").dropLast().joined(separator: ".")
    return rowOrder(of: module, rows: count).map { tensor.gathered(rows: $0) } ?? tensor
  }

  private func located(_ name: String, _ shape: Shape) throws -> (String, TensorEntry) {
    guard let stored = GGUFNames.name(of: name), let entry = tensors.entry(stored) else {
      throw missing(GGUFNames.name(of: name) ?? name, in: file)
    }
    try requireShape(entry.shape, shape, stored, in: file)
    return (stored, entry)
  }

  /// Where each row lies in the file, for the matrices and biases that the format reorders.
  private func rowOrder(of module: String, rows: Int) -> [Int32]? {
    guard configuration.architecture.ggufInterleavesRotaryRows else { return nil }
    if module.hasSuffix(".q_proj") {
      return RotaryRows.interleaved(heads: configuration.queryHeads, rows: rows)
    }
    if module.hasSuffix(".k_proj") {
      return RotaryRows.interleaved(heads: configuration.keyHeads, rows: rows)
    }
    return nil
  }
}
