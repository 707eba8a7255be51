internal import Models
public import Pipeline
internal import Tensor

/// Whether an export may move quantized weights.
public enum RoundingRule: String, RecipeChoice {
  case refused, allowed

  /// What the choice means.
  public var summary: String {
    switch self {
    case .refused: "every weight must be stored exactly"
    case .allowed:
      "scales and offsets are rounded to the format's type; the largest change of a weight is "
        + "reported"
    }
  }
}

/// Puts scales, zero points and offsets into the form that a format has.
struct ScaleConversion {
  /// The type of scales and offsets.
  let dtype: DType
  /// Whether they may be rounded to it.
  let rounding: RoundingRule

  /// Why codes with such scales cannot be stored exactly whatever their values; nil if they can,
  /// or if the values decide.
  func problem(_ groups: GroupFormat, to zero: GroupFormat.Zero) -> StageProblem? {
    guard rounding == .refused else { return nil }
    let digits = dtype.significantBits
    if groups.scaleType.significantBits > digits {
      return StageProblem(
        "its scales are \(groups.scaleType.rawValue), and are stored as \(dtype.rawValue); "
          + "quantize with `scale_type: \(dtype.rawValue)`, or allow rounding by `rounding: allowed`",
        option: "rounding"
      )
    }
    if groups.zero == .integer, zero == .offset,
      groups.scaleType.significantBits + groups.bits > digits
    {
      return StageProblem(
        "zero points become offsets of −scale · zero, which are no \(dtype.rawValue) numbers; "
          + "quantize with `zero: offset` or `symmetric`, or allow rounding by `rounding: allowed`",
        option: "rounding"
      )
    }
    return nil
  }

  /// The weight as the file will have it.
  ///
  /// - Parameters:
  ///   - weight: The weight.
  ///   - target: The file's format. Of the weight's it may differ in the type of scales, in a group
  ///     size that divides the weight's, and in having offsets.
  ///   - name: What to call the matrix in errors.
  ///   - meter: Where to note how far weights are moved; nil if that is not asked for.
  /// - Returns: The weight in that format, with the same codes.
  /// - Throws: ``ExportError`` if a scale would be rounded and must not be, or becomes infinite.
  func convert(
    _ weight: GroupQuantizedWeight,
    to target: GroupFormat,
    name: String,
    meter: ErrorMeter?
  ) throws -> GroupQuantizedWeight {
    let format = weight.groupFormat
    guard target != format else { return weight }
    let groups = weight.scales.shape[1]
    let shape: Shape = [weight.rows, target.groupCount(columns: weight.columns)]
    let repeats = shape[1] / groups
    func expanded<Element>(_ elements: [Element]) -> [Element] {
      repeats == 1 ? elements : elements.flatMap { [Element](repeating: $0, count: repeats) }
    }
    func floats(_ tensor: Tensor) -> [Float] {
      tensor.converted(to: .float32).elements(as: Float.self)
    }
    let wide = expanded(floats(weight.scales))
    let scales = Tensor(wide, shape: shape).converted(to: dtype)
    let stored = floats(scales)
    var isExact = stored == wide
    var offsets: Tensor?
    if target.zero == .offset {
      let exact: [Double]
      if let own = weight.offsets {
        exact = expanded(floats(own)).map(Double.init)
      } else {
        let middle = UInt8(1 << (format.bits - 1))
        let zeros =
          weight.zeroPoints.map { expanded($0.elements(as: UInt8.self)) }
          ?? [UInt8](repeating: middle, count: stored.count)
        // Of the stored scale, so that the code of zero stands for zero as nearly as can be.
        exact = zip(stored, zeros).map { -Double($0) * Double($1) }
      }
      let rounded = Tensor(exact.map { Float($0) }, shape: shape).converted(to: dtype)
      isExact = isExact && floats(rounded).elementsEqual(exact) { Double($0) == $1 }
      offsets = rounded
    }
    guard stored.allSatisfy(\.isFinite), offsets.map({ floats($0).allSatisfy(\.isFinite) }) ?? true
    else {
      throw ExportError(
        .overflow,
        "a scale or offset is too large for \(dtype.rawValue), or not a number",
        at: name,
        remedy: "store the model in another type, or quantize again"
      )
    }
    guard isExact || rounding == .allowed else {
      throw ExportError(
        .unsupported,
        "some scales or offsets are no \(dtype.rawValue) numbers",
        at: name,
        remedy: "quantize with `scale_type: \(dtype.rawValue)`, or allow rounding by "
          + "`rounding: allowed`"
      )
    }
    let zeros = target.zero == .integer ? weight.zeroPoints : nil
    let result = GroupQuantizedWeight(
      codes: weight.codes,
      scales: scales,
      zeroPoints: zeros,
      offsets: offsets,
      format: target,
      columns: weight.columns
    )
    if !isExact { try meter?.note(name, weight, stored: result) }
    return result
  }
}

extension DType {
  /// The significant bits of a floating-point type.
  var significantBits: Int {
    switch self {
    case .float64: 53
    case .float32: 24
    case .float16: 11
    case .bfloat16: 8
    default: 0
    }
  }
}
