internal import Export
internal import Models
public import Pipeline
internal import Tensor

/// The kind of file that formats are chosen for, named as the stage that writes it.
public enum AllocationFile: String, RecipeChoice {
  case gguf
  case compressedTensors = "compressed_tensors"
  case mlx

  /// What the choice means.
  public var summary: String {
    switch self {
    case .gguf: "what `export.gguf` with `type: lossless` writes: blocks"
    case .compressedTensors:
      "what `export.compressed_tensors` writes for transformers and vLLM: groups around zero; the "
        + "embedding, and a head unless it is named, stay as they are"
    case .mlx: "what `export.mlx` writes: groups with offsets; embedding and head included"
    }
  }

  /// What a matrix can become unless the recipe says.
  var candidates: [CandidateFormat] {
    func groups(_ bits: Int, _ sizes: Int...) -> [CandidateFormat] {
      sizes.map { .groups(bits: bits, size: .columns($0)) }
    }
    switch self {
    case .gguf:
      let blocks: [CandidateBlocks] = [
        .q8_0, .q6_k, .q5_1, .q5_0, .q4_1, .iq4_nl, .q4_0, .q3_k, .q2_k,
      ]
      return blocks.map { .blocks($0) }
    case .compressedTensors:
      return groups(8, 32, 128) + [.groups(bits: 8, size: .channel)]
        + groups(4, 32, 64, 128) + [.groups(bits: 4, size: .channel)]
    case .mlx:
      return groups(8, 64) + groups(6, 64) + groups(5, 64)
        + groups(4, 32, 64, 128) + groups(3, 32, 64, 128) + groups(2, 32, 64, 128)
    }
  }

  /// Why matrices cannot be stored so in the file; nil if they can.
  func objection(to candidate: CandidateFormat) -> String? {
    switch (self, candidate) {
    case (.gguf, .blocks): return nil
    case (.gguf, .groups):
      return "a GGUF file holds blocks, not groups; choose another `file`, or blocks alone"
    case (_, .blocks):
      return "such a folder holds groups, not blocks; write groups alone, as in `int4_g64`"
    case (.compressedTensors, .groups): return nil
    case (.mlx, .groups(let bits, let size)):
      guard MLXFormat.widths.contains(bits) else {
        return "MLX has codes of \(Self.list(MLXFormat.widths)) bits"
      }
      guard let count = size.count, MLXFormat.groupSizes.contains(count) else {
        return "MLX has groups of \(Self.list(MLXFormat.groupSizes.reversed())) columns"
      }
      return nil
    }
  }

  private static func list(_ numbers: [Int]) -> String {
    Wording.list(numbers.map(String.init), "and")
  }

  /// What a matrix is rounded to.
  func target(_ candidate: CandidateFormat, scaleType: ScaleType) -> QuantizationTarget {
    switch candidate {
    case .blocks(let blocks): .blocks(blocks.format)
    case .groups(let bits, let size):
      .groups(
        Grid(
          bits: bits,
          groupSize: size,
          zero: self == .mlx ? .offset : .symmetric,
          scale: .leastSquares,
          scaleType: scaleType
        )
      )
    }
  }

  /// How large such a file is, made of a model.
  ///
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  func layout(_ model: LanguageModel) throws -> any FileLayout {
    switch self {
    case .gguf: try GGUFLayout(model)
    case .compressedTensors: FolderLayout(format: CompressedTensorsFormat())
    case .mlx: FolderLayout(format: MLXFormat())
    }
  }
}
