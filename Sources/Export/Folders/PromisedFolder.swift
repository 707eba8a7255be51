internal import Checkpoints
internal import Models
package import Pipeline
internal import Tensor

/// A format of folders with integer codes, of which a promise tells the exact size.
package protocol CodedFolderFormat: ExportFormat {
  /// Returns the size of the safetensors files of a model, in bytes.
  ///
  /// Headers count; the index, the configuration and the tokenizer do not, as in `ModelSize`.
  ///
  /// - Throws: `CheckpointError` for what safetensors files cannot hold.
  func weightFileByteCount(_ promise: ModelPromise) throws -> Int

  /// Returns the size of all tensors of a matrix, its bias not counted, in bytes.
  func tensorByteCount(_ part: ModelPromise.Part) -> Int
}

extension MLXFormat: CodedFolderFormat {
  /// Returns the size of the safetensors files, in bytes.
  package func weightFileByteCount(_ promise: ModelPromise) throws -> Int {
    try folder(promise.groupFormats).weightFileByteCount(promise)
  }

  /// Returns the size of a matrix's tensors, in bytes.
  package func tensorByteCount(_ part: ModelPromise.Part) -> Int {
    guard case .groups(let groups) = part.format else { return folder([]).byteCount(part) }
    return folder([groups]).byteCount(part)
  }
}

extension CompressedTensorsFormat: CodedFolderFormat {
  /// Returns the size of the safetensors files, in bytes, codes being stored densely.
  package func weightFileByteCount(_ promise: ModelPromise) throws -> Int {
    try folder([:]).weightFileByteCount(promise)
  }

  /// Returns the size of a matrix's tensors, in bytes.
  package func tensorByteCount(_ part: ModelPromise.Part) -> Int { folder([:]).byteCount(part) }
}

extension CodedFolder {
  /// The size of the safetensors files of a model, in bytes.
  fileprivate func weightFileByteCount(_ promise: ModelPromise) throws -> Int {
    let biasType = coding.plainType ?? promise.plainType
    let tensors = promise.partsAsSaved.flatMap { part in
      let bias = TensorDeclaration("\(part.name).bias", dtype: biasType, shape: [part.shape[0]])
      return declarations(part) + (part.hasBias ? [bias] : [])
    }
    return try ShardedSafetensorsWriter.byteCount(
      tensors: tensors,
      maximumShardByteCount: maximumShardByteCount
    )
  }

  /// The size of a part's tensors, in bytes.
  fileprivate func byteCount(_ part: ModelPromise.Part) -> Int {
    declarations(part).reduce(0) { $0 + $1.byteCount }
  }

  /// The tensors that a part becomes, without a bias.
  private func declarations(_ part: ModelPromise.Part) -> [TensorDeclaration] {
    if case .groups(let groups) = part.format {
      return coding.tensors(Linear(promised: part), groups, nil).map(\.declaration)
    }
    let type = elementType(part.format)
    return [TensorDeclaration("\(part.name).weight", dtype: type, shape: part.shape)]
  }
}

extension ModelPromise {
  /// The parts in the order of ``LanguageModel/exportedSections(matrix:vector:)``: block after
  /// block, then what stands around the blocks, of each the matrices before the vectors.
  fileprivate var partsAsSaved: [Part] {
    var sections: [Substring: [Part]] = [:]
    var blocks: [Substring] = []
    for part in parts {
      let block = part.name.prefixMatch(of: /model\.layers\.[0-9]+/)?.0 ?? ""
      if !block.isEmpty, sections[block] == nil { blocks.append(block) }
      sections[block, default: []].append(part)
    }
    return (blocks + [""]).flatMap { block in
      let section = sections[block] ?? []
      return section.filter(\.isLinear) + section.filter { !$0.isLinear }
    }
  }
}

extension Linear {
  /// A layer of which no more than a promise is known, to list the tensors that it becomes.
  ///
  /// - Precondition: Its weight is not asked for.
  fileprivate convenience init(promised part: ModelPromise.Part) {
    let activation: ActivationQuantization? =
      switch part.activation {
      case nil: nil
      case .dynamicPerToken: .dynamicPerToken
      case .staticPerTensor: .staticPerTensor(scale: 1)
      }
    let stored = StoredWeight(
      rows: part.shape.rows,
      columns: part.shape.columns,
      format: part.format,
      activation: activation
    ) {
      fail("export: the weight of \(part.name) is a promise")
    }
    self.init(name: part.name, stored: stored)
  }
}
