internal import Models
internal import Pipeline
internal import Tensor

/// What one entry of `config_groups` says of its layers.
private struct CompressedScheme: Hashable {
  var groups: GroupFormat
  var activation: ActivationQuantization.Kind?
  var format: String
}

extension CompressedTensorsCoding {
  /// The section `quantization_config` of config.json.
  ///
  /// If all layers of the blocks are quantized alike and nothing else is, the section names the
  /// class `Linear`, as the library's own recipes do; else it lists the names.
  func quantizationConfiguration(_ model: LanguageModel) -> JSONValue {
    var names: [CompressedScheme: [String]] = [:]
    var ignored: [String] = []
    for linear in model.matrices {
      if case .groups(var groups) = linear.format {
        groups.scaleType = .float32
        let kind = linear.activation?.kind
        let format =
          sparseMatrices[linear.name] == nil ? layout(kind).rawValue : SparseCodes.formatName
        let scheme = CompressedScheme(groups: groups, activation: kind, format: format)
        names[scheme, default: []].append(linear.name)
      } else if linear !== model.embedding {
        ignored.append(linear.name)
      }
    }
    // A tied head is a module of its own in transformers.
    if model.untiedHead == nil { ignored.append("lm_head") }
    let isUniform =
      names.count == 1 && !model.embedding.format.isGrouped
      && model.linears.allSatisfy(\.format.isGrouped)
    let ordered = names.sorted { ($0.value.first ?? "") < ($1.value.first ?? "") }
    var groups: [String: JSONValue] = [:]
    for (index, group) in ordered.enumerated() {
      let targets = isUniform ? ["Linear"] : group.value
      groups["group_\(index)"] = .object([
        "targets": .array(targets.map { .string($0) }), "weights": weights(group.key.groups),
        "input_activations": group.key.activation.map(inputs) ?? .null,
        "output_activations": .null, "format": .string(group.key.format),
      ])
    }
    // A reader that looks here only is to refuse the folder as well.
    let formats = Set(names.keys.map(\.format))
    let format =
      formats.count == 1 || formats.contains(SparseCodes.formatName)
      ? formats.max { $1 == SparseCodes.formatName } : "mixed-precision"
    return .object([
      "quant_method": .string("compressed-tensors"),
      "format": .string(format ?? CompressedLayout.packQuantized.rawValue),
      "quantization_status": .string("compressed"), "config_groups": .object(groups),
      "ignore": .array(ignored.map { .string($0) }), "kv_cache_scheme": .null,
      "global_compression_ratio": .null, "version": .string(version(names.keys.map(\.groups))),
    ])
  }

  /// The first version of the library whose layout the codes have.
  private func version(_ formats: [GroupFormat]) -> String {
    formats.contains { $0.crossesWords } ? "0.18.0" : "0.17.0"
  }

  private func inputs(_ kind: ActivationQuantization.Kind) -> JSONValue {
    let isDynamic = kind == .dynamicPerToken
    return .object([
      "num_bits": .integer(8), "type": .string("int"), "symmetric": .bool(true),
      "strategy": .string(isDynamic ? "token" : "tensor"), "dynamic": .bool(isDynamic),
      "group_size": .null, "actorder": .null, "block_structure": .null,
      "observer": isDynamic ? .null : .string("memoryless_minmax"), "observer_kwargs": .object([:]),
    ])
  }

  private func weights(_ format: GroupFormat) -> JSONValue {
    .object([
      "num_bits": .integer(format.bits), "type": .string("int"),
      "symmetric": .bool(format.zero == .symmetric),
      "strategy": .string(format.groupSize == nil ? "channel" : "group"),
      "group_size": format.groupSize.map { .integer($0) } ?? .null, "dynamic": .bool(false),
      "actorder": .null, "block_structure": .null, "observer": .string("memoryless_minmax"),
      "observer_kwargs": .object([:]),
    ])
  }
}
