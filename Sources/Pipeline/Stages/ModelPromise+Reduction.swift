public import Models
internal import Tensor

extension ModelPromise {
  /// Promises a smaller model.
  ///
  /// Parts take the extents of the new configuration. A quantized matrix that loses columns becomes
  /// `float32`, and a pattern of zeros over columns is lost.
  ///
  /// - Parameters:
  ///   - smaller: The configuration of the smaller model.
  ///   - blocks: The numbers of the blocks that remain, ascending. If it is not known which, the
  ///     first will do: blocks are alike but for their formats.
  public mutating func reduce(to smaller: ModelConfiguration, blocks: [Int]) {
    var numbers: [Int: Int] = [:]
    for (index, block) in blocks.enumerated() { numbers[block] = index }
    let extents = smaller.partExtents
    parts = parts.compactMap { old in
      var name = old.name
      if let match = old.name.prefixMatch(of: /model\.layers\.([0-9]+)/) {
        guard let index = Int(match.1).flatMap({ numbers[$0] }) else { return nil }
        name = "model.layers.\(index)" + old.name[match.range.upperBound...]
      }
      var part = Part(
        name: name,
        shape: old.shape,
        format: old.format,
        isLinear: old.isLinear,
        hasBias: old.hasBias
      )
      part.takeFormat(of: old)
      part.sparsity = old.sparsity
      part.zeroPattern = old.zeroPattern
      guard let extent = extents[name] else { return part }
      if !old.isLinear {
        part.shape = [extent.outputs ?? old.shape.columns]
      } else {
        part.shape = [extent.outputs ?? old.shape.rows, extent.inputs ?? old.shape.columns]
        if part.shape.columns != old.shape.columns {
          if case .elements = part.format {} else { part.format = .elements(.float32) }
          part.zeroPattern = nil
        }
      }
      return part
    }
    configuration = smaller
  }
}
