internal import Foundation
internal import Tensor

extension LanguageModel {
  /// Returns a smaller model of the parts that remain.
  ///
  /// Nothing is read: each matrix of the smaller model takes its rows and columns from this model's
  /// when it is first used, as they are at that time, so that a stage that changes and finishes
  /// block after block holds one in memory. Rows alone are taken in the form in which they are
  /// stored; of a quantized matrix that loses columns what remains is widened to `float32`.
  ///
  /// - Parameter structure: What remains, of this model's configuration.
  /// - Returns: A plain model of the same family, with a config.json that says its sizes.
  /// - Precondition: `structure` is of this model's configuration, and blocks keep equal sizes.
  public func reduced(to structure: RemainingStructure) -> LanguageModel {
    require(structure.original == configuration, "reduced: the structure is of another model")
    let selections = structure.selections
    let target = structure.configuration
    func linear(_ old: Linear, as name: String? = nil) -> Linear {
      Linear(reducing: old, to: selections[old.name] ?? PartSelection(), name: name ?? old.name)
    }
    func norm(_ old: Normalization, as name: String? = nil) -> Normalization {
      let rows = selections[old.name]?.rows
      return Normalization(
        name: name ?? old.name,
        weight: rows.map { old.weight.scaledElements($0, by: structure.normScale) } ?? old.weight,
        epsilon: target.normEpsilon
      )
    }
    let blocks = structure.blocks.enumerated().map { index, number in
      let old = self.blocks[number]
      func name(_ part: String) -> String {
        "model.layers.\(index)" + part.dropFirst("model.layers.\(number)".count)
      }
      func renamed(_ part: Linear) -> Linear { linear(part, as: name(part.name)) }
      func renamed(_ part: Normalization) -> Normalization { norm(part, as: name(part.name)) }
      let (attention, feedForward) = (old.attention, old.feedForward)
      return DecoderBlock(
        index: index,
        attentionNorm: renamed(old.attentionNorm),
        attention: SelfAttention(
          query: renamed(attention.query),
          key: renamed(attention.key),
          value: renamed(attention.value),
          output: renamed(attention.output),
          queryNorm: attention.queryNorm.map { renamed($0) },
          keyNorm: attention.keyNorm.map { renamed($0) }
        ),
        feedForwardNorm: renamed(old.feedForwardNorm),
        feedForward: FeedForward(
          gate: renamed(feedForward.gate),
          up: renamed(feedForward.up),
          down: renamed(feedForward.down)
        )
      )
    }
    return LanguageModel(
      configuration: target,
      embedding: linear(embedding),
      blocks: blocks,
      finalNorm: norm(finalNorm),
      untiedHead: untiedHead.map { linear($0) },
      companions: companions.reduced(to: structure)
    )
  }
}

extension Linear {
  /// Makes a layer of some rows and columns of another, which are read when first used.
  convenience init(reducing old: Linear, to selection: PartSelection, name: String) {
    self.init(
      name: name,
      stored: StoredWeight(
        rows: selection.rows?.count ?? old.rows,
        columns: selection.columns?.count ?? old.columns,
        format: selection.columns == nil ? old.format : .elements(old.elementType)
      ) {
        let weight = old.weight.reduced(to: selection)
        old.release()
        return weight
      },
      bias: selection.rows.flatMap { rows in old.bias?.gathered(rows: rows) } ?? old.bias
    )
    activation = old.activation
  }
}

extension LinearWeight {
  /// The weight's rows and columns of a selection.
  func reduced(to selection: PartSelection) -> any LinearWeight {
    guard let columns = selection.columns else {
      return selection.rows.map { gathered(rows: $0) } ?? self
    }
    if let dense = self as? DenseWeight {
      let elements = selection.rows.map { dense.elements.gathered(rows: $0) } ?? dense.elements
      return DenseWeight(elements.gathered(columns: columns))
    }
    let wide = selection.rows.map { matrix.gathered(rows: $0) } ?? matrix.widened()
    return DenseWeight(wide.gathered(columns: columns))
  }

  private func gathered(rows: [Int32]) -> any LinearWeight {
    switch self {
    case let dense as DenseWeight: return DenseWeight(dense.elements.gathered(rows: rows))
    case let blocks as BlockQuantizedWeight:
      return BlockQuantizedWeight(
        blocks: blocks.blocks.gathered(rows: rows),
        format: blocks.blockFormat,
        columns: columns
      )
    case let groups as GroupQuantizedWeight:
      return GroupQuantizedWeight(
        codes: groups.codes.gathered(rows: rows),
        scales: groups.scales.gathered(rows: rows),
        zeroPoints: groups.zeroPoints?.gathered(rows: rows),
        offsets: groups.offsets?.gathered(rows: rows),
        format: groups.groupFormat,
        columns: columns
      )
    default: fail("reduced: rows of a weight in \(format) cannot be taken")
    }
  }
}

extension Tensor {
  /// Returns columns of a matrix of any dtype.
  fileprivate func gathered(columns: [Int32]) -> Tensor {
    let (rows, count, size) = (shape[0], columns.count, dtype.byteCount)
    let result = Tensor(uninitialized: [rows, count], dtype: dtype)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    let stride = shape[1] * size
    parallelRanges(rows, grain: max(1, (1 << 15) / max(1, count))) { range in
      for row in range {
        let (from, to) = (source.pointer + row * stride, target.pointer + row * count * size)
        for (index, column) in columns.enumerated() {
          (to + index * size).copyMemory(from: from + Int(column) * size, byteCount: size)
        }
      }
    }
    withExtendedLifetime(self) {}
    return result
  }

  /// Returns some elements multiplied by a factor, in the dtype of the vector.
  fileprivate func scaledElements(_ indices: [Int32], by factor: Double) -> Tensor {
    let kept = gathered(rows: indices)
    guard factor != 1 else { return kept }
    return kept.converted(to: .float64).scaled(by: factor).converted(to: dtype)
  }
}

// MARK: - config.json

extension ModelCompanions {
  /// The companions of a smaller model: config.json says its sizes, everything else stays.
  func reduced(to structure: RemainingStructure) -> ModelCompanions {
    let (old, new) = (structure.original, structure.configuration)
    var json = configuration
    func set(_ key: String, _ property: KeyPath<ModelConfiguration, Int>) {
      if old[keyPath: property] != new[keyPath: property] || json[key] != nil {
        json[key] = .integer(new[keyPath: property])
      }
    }
    set("num_hidden_layers", \.layerCount)
    set("intermediate_size", \.feedForwardSize)
    set("hidden_size", \.hiddenSize)
    set("num_attention_heads", \.queryHeads)
    set("num_key_value_heads", \.keyHeads)
    // Readers that find no head size divide the width by the heads.
    if new.hiddenSize != new.queryHeads * new.headSize || json["head_dim"] != nil {
      json["head_dim"] = .integer(new.headSize)
    }
    if new.normEpsilon != old.normEpsilon { json["rms_norm_eps"] = .number(new.normEpsilon) }
    if let first = json["max_window_layers"]?.integer {
      let kept = structure.blocks.filter { $0 < first }.count
      json["max_window_layers"] = .integer(kept)
    }
    // Lists with an entry a layer, such as `layer_types`.
    if case .object(let members) = json {
      for (key, value) in members where key.contains("layer") {
        guard let list = value.array, list.count == old.layerCount else { continue }
        json[key] = .array(structure.blocks.map { list[$0] })
      }
    }
    return ModelCompanions(replacing: json, in: self)
  }
}
