internal import Checkpoints
package import Foundation
internal import Tensor

/// Saves low-rank adapters as a folder that PEFT loads: adapter_config.json and
/// adapter_model.safetensors.
package enum AdapterWriter {
  /// Saves adapters.
  ///
  /// - Parameters:
  ///   - adapters: At least one, all of one rank, factor and dropout.
  ///   - base: What the configuration names as the model that the adapters belong to.
  ///   - folder: An existing folder.
  /// - Throws: `CheckpointError` or a file error if writing fails.
  package static func write(
    _ adapters: [LowRankAdapter],
    base: String,
    to folder: URL
  ) throws {
    let tensors = adapters.flatMap(\.parameters).map { parameter in
      ("base_model.model.\(parameter.name)", parameter.value.detached)
    }
    var writer = try SafetensorsWriter(
      path: folder.appending(path: "adapter_model.safetensors").path,
      tensors: tensors.map { TensorDeclaration($0.0, dtype: $0.1.dtype, shape: $0.1.shape) }
    )
    for (name, tensor) in tensors { try writer.append(tensor, to: name) }
    try writer.finish()
    try configuration(adapters, base: base).text().write(
      to: folder.appending(path: "adapter_config.json"),
      options: .atomic
    )
  }

  private static func configuration(_ adapters: [LowRankAdapter], base: String) -> JSONValue {
    let rank = adapters.first?.down.shape[0] ?? 0
    return .object([
      "peft_type": .string("LORA"), "task_type": .string("CAUSAL_LM"),
      "base_model_name_or_path": .string(base), "inference_mode": .bool(true),
      "r": .integer(rank), "lora_alpha": .number((adapters.first?.scale ?? 1) * Double(rank)),
      "lora_dropout": .number(adapters.first?.dropout ?? 0), "bias": .string("none"),
      "fan_in_fan_out": .bool(false), "use_rslora": .bool(false), "use_dora": .bool(false),
      "target_modules": .array(adapters.map { .string($0.name) }),
    ])
  }
}
