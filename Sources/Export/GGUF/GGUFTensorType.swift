internal import Checkpoints
internal import Models
public import Pipeline
internal import Tensor

/// The type that the matrices of a GGUF file have.
public enum GGUFTensorType: String, RecipeChoice {
  case f32, f16, bf16
  // Named as the formats are.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q8_0, q4_0, q4_1, q5_0, q5_1
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q2_k, q3_k_s, q3_k_m, q3_k_l, q4_k_s, q4_k_m, q5_k_s, q5_k_m, q6_k, iq4_nl, iq4_xs
  case lossless

  /// What the choice means.
  public var summary: String {
    switch self {
    case .f32: "32 bits"
    case .f16: "16 bits, half precision"
    case .bf16: "16 bits with the range of `f32`"
    case .q8_0: "8 bits with a scale for 32 weights: 8.5 bits a weight"
    case .q4_0: "4 bits with a scale for 32 weights: 4.5 bits a weight"
    case .q4_1: "4 bits with a scale and an offset for 32 weights: 5 bits a weight"
    case .q5_0: "5 bits with a scale for 32 weights: 5.5 bits a weight"
    case .q5_1: "5 bits with a scale and an offset for 32 weights: 6 bits a weight"
    case .q2_k: "2 bits in blocks of 256, 2.6 bits a weight; outputs and values get more"
    case .q3_k_s: "3 bits in blocks of 256, 3.4 bits a weight"
    case .q3_k_m: "`q3_k_s` with 4 and 5 bits for outputs and values"
    case .q3_k_l: "`q3_k_s` with 5 bits for outputs and values"
    case .q4_k_s: "4 bits in blocks of 256, 4.5 bits a weight; 5 bits in some of the first layers"
    case .q4_k_m: "`q4_k_s` with 6 bits for half of the outputs and values"
    case .q5_k_s: "5 bits in blocks of 256, 5.5 bits a weight"
    case .q5_k_m: "`q5_k_s` with 6 bits for half of the outputs and values"
    case .q6_k: "6 bits in blocks of 256, 6.6 bits a weight"
    case .iq4_nl: "4 bits for 16 uneven levels, with a scale for 32 weights: 4.5 bits a weight"
    case .iq4_xs: "the levels of `iq4_nl` in blocks of 256, 4.25 bits a weight"
    case .lossless: "for each matrix the smallest type that holds it exactly"
    }
  }

  /// The mixture of formats that llama.cpp calls so; nil for a type that is the same for all
  /// matrices, and for ``lossless``.
  var preset: BlockPreset? { BlockPreset(rawValue: rawValue) }

  /// What a file stores, of a mixture most matrices' format; nil for ``lossless``.
  var encoding: TensorEncoding? {
    switch self {
    case .f32: .elements(.float32)
    case .f16: .elements(.float16)
    case .bf16: .elements(.bfloat16)
    case .q8_0: .blocks(.q8_0)
    case .q4_0: .blocks(.q4_0)
    case .q4_1: .blocks(.q4_1)
    case .q5_0: .blocks(.q5_0)
    case .q5_1: .blocks(.q5_1)
    case .q2_k, .q3_k_s, .q3_k_m, .q3_k_l, .q4_k_s, .q4_k_m, .q5_k_s, .q5_k_m, .q6_k, .iq4_nl,
      .iq4_xs:
      preset.map { .blocks($0.format) }
    case .lossless: nil
    }
  }
}

extension TensorEncoding {
  /// `general.file_type` of a file whose matrices are mostly of this encoding, by the numbers of
  /// llama.cpp's `llama_ftype`.
  var fileType: UInt32 {
    switch self {
    case .elements(.float16): 1
    case .elements(.bfloat16): 32
    case .elements, .unsupported: 0
    case .blocks(let format):
      switch format {
      case .q4_0: 2
      case .q4_1: 3
      case .q8_0: 7
      case .q5_0: 8
      case .q5_1: 9
      case .q2_K: 10
      case .q3_K: 12
      case .q4_K: 15
      case .q5_K: 17
      case .q6_K: 18
      case .iq4_NL: 25
      case .iq4_XS: 30
      }
    }
  }
}
