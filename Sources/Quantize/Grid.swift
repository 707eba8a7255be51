public import Models
public import Pipeline
public import Tensor

/// How the scale of a group is chosen.
public enum ScaleRule: String, RecipeChoice {
  case absoluteMaximum = "absolute_maximum"
  case leastSquares = "least_squares"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .absoluteMaximum: "from the group's extreme values; fast"
    case .leastSquares:
      "by search, for the least squared error of the group; never worse than `absolute_maximum`"
    }
  }
}

/// The type in which scales and offsets are stored.
public enum ScaleType: String, RecipeChoice {
  case float16, bfloat16, float32

  /// What the choice means.
  public var summary: String {
    switch self {
    case .float16: "11 significant bits; what GGUF stores"
    case .bfloat16: "8 significant bits and the range of `float32`"
    case .float32: "24 significant bits"
    }
  }

  /// The same as a tensor's type.
  public var dtype: DType {
    switch self {
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .float32: .float32
    }
  }
}

extension GroupFormat.Zero: RecipeChoice {
  /// What the choice means.
  public var summary: String {
    switch self {
    case .symmetric: "the middle code stands for zero"
    case .integer: "each group has a code of its own that stands for zero"
    case .offset: "each group adds a number, as GGUF's Q4_1 does; zero need not be exact"
    }
  }
}

/// The values that the codes of a group can stand for, and how they are placed.
///
/// With `n` = `bits`, `a` the value of largest magnitude, `l` and `g` the least and greatest value:
///
/// | zero | value | scale by `absolute_maximum` |
/// |---|---|---|
/// | `symmetric`, negative scales | `s · (c − 2^(n−1))` | `−a / 2^(n−1)`: `a` itself is exact |
/// | `symmetric`, positive scales | the same | `abs(a) / (2^(n−1) − 1/2)`: both ends off by half a step |
/// | `symmetric`, 8 bits | the same | `abs(a) / 127`: code 0 is never used |
/// | `integer` | `s · (c − z)` | `(max(g, 0) − min(l, 0)) / (2^n − 1)` |
/// | `offset` | `s · c + o` | `(g − l) / (2^n − 1)`, with `o = l` |
///
/// The first line is the scale of GGUF's Q4_0 and Q5_0, the second that of the compressed-tensors
/// library, the third that of Q8_0, the last that of Q4_1 and Q5_1. In all of them the scale is
/// rounded to the type in which it is stored before codes are chosen, so a code is the nearest to
/// its weight for the stored scale; ties go to the even multiple.
///
/// Relative squared errors of normally distributed weights, 4 bits in groups of 32, float16 scales:
///
/// | scale | symmetric, positive | symmetric, both signs | integer zero | offset |
/// |---|---|---|---|---|
/// | by absolute maximum | 0.00898 | 0.00738 | 0.00652 | 0.00612 |
/// | by least squares | 0.00737 | 0.00654 | 0.00584 | 0.00474 |
///
/// Other conventions are worse: `abs(a)/7` gives 0.00942 and `abs(a)/8` 0.00878 at 4 bits, and at 8
/// bits `abs(a)/127.5` gives 3.1e-5 where `abs(a)/127` gives 2.9e-5.
public struct Grid: OptionGroup, Hashable {
  /// The width of a code, in `2...8`.
  public var bits = 4
  /// The columns that share a scale.
  public var groupSize = GroupSize.columns(32)
  /// What stands for zero.
  public var zero = GroupFormat.Zero.symmetric
  /// How scales are chosen.
  public var scale = ScaleRule.absoluteMaximum
  /// The type of scales and offsets.
  public var scaleType = ScaleType.float16
  /// Whether a symmetric group may have a negative scale, which moves the code without a
  /// counterpart to the side of the largest value.
  public var negativeScales = true

  /// Creates the default grid: 4 bits in groups of 32, symmetric.
  public init() {}

  /// Creates a grid.
  ///
  /// - Parameters:
  ///   - bits: The width of a code, in `2...8`.
  ///   - groupSize: The columns that share a scale.
  ///   - zero: What stands for zero.
  ///   - scale: How scales are chosen.
  ///   - scaleType: The type of scales and offsets.
  ///   - negativeScales: Whether a symmetric group may have a negative scale.
  public init(
    bits: Int,
    groupSize: GroupSize,
    zero: GroupFormat.Zero = .symmetric,
    scale: ScaleRule = .absoluteMaximum,
    scaleType: ScaleType = .float16,
    negativeScales: Bool = true
  ) {
    self.bits = bits
    self.groupSize = groupSize
    self.zero = zero
    self.scale = scale
    self.scaleType = scaleType
    self.negativeScales = negativeScales
  }

  /// The options.
  public static var fields: [Field<Grid>] {
    [
      .field("bits", \.bits, in: 2...8, "The width of a code."),
      .field(
        "group_size",
        \.groupSize,
        "How many neighbouring columns of a row share a scale; `channel` for all of them."
      ),
      .field("zero", \.zero, "What stands for zero."),
      .field("scale", \.scale, "How scales are chosen."),
      .field(
        "scale_type",
        \.scaleType,
        "The type of scales and offsets. They are rounded to it before codes are chosen."
      ),
      .field(
        "negative_scales",
        \.negativeScales,
        "Whether symmetric groups may have negative scales, which lowers their error; some "
          + "kernels expect positive ones."
      ),
    ]
  }

  /// The representation that quantized weights have.
  public var format: GroupFormat {
    GroupFormat(bits: bits, groupSize: groupSize.count, zero: zero, scaleType: scaleType.dtype)
  }

  /// Why matrices with these numbers of columns cannot be divided into groups; nil if they can.
  func objection(to parts: [ModelPromise.Part]) -> String? {
    guard let size = groupSize.count else { return nil }
    let misfits = parts.filter { $0.shape.columns % size != 0 }
    guard let first = misfits.first else { return nil }
    let columns = Set(misfits.map(\.shape.columns)).sorted()
    let fitting = (8...256).filter { candidate in
      candidate % 8 == 0 && parts.allSatisfy { $0.shape.columns % candidate == 0 }
    }
    let others = misfits.count > 1 ? " and \(misfits.count - 1) more" : ""
    let remedy =
      fitting.isEmpty
      ? "; quantize them by `channel`" : "; \(Wording.list(fitting.map(String.init), "and")) do"
    return "groups of \(size) do not divide the \(Wording.list(columns.map(String.init), "or")) "
      + "columns of `\(first.name)`\(others)\(remedy)"
  }
}
