internal import Foundation
public import Models
public import Pipeline
package import Tensor

/// How gradients are computed.
public struct ComputeSettings: OptionGroup {
  /// The precision of matrix products.
  public var compute = ComputeType.float32
  /// What is computed again instead of being kept.
  public var recompute = Recomputation.none
  /// The most memory to use.
  public var memoryLimit: ByteSize?

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<ComputeSettings>] {
    [
      .field(
        "compute",
        \.compute,
        "The type in which matrix products take their factors. Sums, weights, norms, softmax and "
          + "losses are float32 in either."
      ),
      .field(
        "recompute",
        \.recompute,
        "What the backward pass computes again instead of keeping it in memory."
      ),
      .field(
        "memory_limit",
        \.memoryLimit,
        "The most memory that training may need by the plan; the machine's if not given."
      ),
    ]
  }

  /// What to say if the machine, or the limit that the recipe sets, has less memory than is needed.
  ///
  /// - Parameters:
  ///   - byteCount: What is needed.
  ///   - remedy: What the user can do.
  ///   - option: The option that decides how much is needed.
  /// - Returns: Nil if there is enough.
  package func memoryObjection(
    _ byteCount: Int,
    remedy: String,
    option: String
  ) -> StageProblem? {
    let limit = memoryLimit?.byteCount ?? Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard byteCount > limit else { return nil }
    return StageProblem(
      "about \(ByteSize(byteCount)) of memory are needed, and \(ByteSize(limit)) are there; "
        + remedy,
      option: option
    )
  }
}

/// The type in which matrix products take their factors.
public enum ComputeType: String, RecipeChoice {
  case float32, bfloat16

  /// What the choice means.
  public var summary: String {
    switch self {
    case .float32: "factors as they are"
    case .bfloat16:
      "factors rounded to bfloat16, on processors that multiply them faster (AVX512-BF16); "
        + "float32 on others, which `plan` says"
    }
  }

  /// How products are computed on this processor.
  package var precision: ProductPrecision {
    self == .bfloat16 && ProductPrecision.bfloat16.isSupported ? .bfloat16 : .float32
  }
}

extension Recomputation: RecipeChoice {

  /// What the choice means.
  public var summary: String {
    switch self {
    case .none: "nothing but what one pass over memory gives"
    case .feedForward: "gate and up projections: about half the memory, a sixth more time"
    case .blocks: "whole blocks: little memory, a third more time"
    }
  }
}
