internal import Models
internal import Pipeline
internal import Tensor

/// A quantized weight in training: its scales and offsets, and its codes if these are trained too.
///
/// Scales are trained by what they change relative to where they started, `s = s₀ · (1 + u)`, and
/// offsets by what they change relative to the size of the group's weights, so that one learning
/// rate fits all of them. Codes are trained by moves in units of a code, added before rounding.
///
/// Where a quantized weight is tuned, what is rounded is its codes as they are and changes with the
/// scale: training scales is the same with and without training codes. (Learned step sizes, Esser
/// et al. 2019, keep the weight and change the grid under it, so that a weight on the grid has a
/// gradient of zero.) Where a weight is rounded for the first time, it stays while scales change.
final class TunedWeight {
  /// The layer.
  let linear: Linear
  /// Whether scales are rounded to the type in which they are stored; for measuring only.
  var isRounded = false
  private let codes: ScaledCodes
  /// The weight as it was quantized at first.
  private let original: any LinearWeight
  private let scaleChange: Parameter
  private let offsetChange: Parameter?
  private let rounding: Rounding?
  /// What the reader of the report should know of where codes start; nil if they start from the
  /// weight before it was quantized, or are not trained.
  let note: String?

  /// How codes are chosen anew.
  private struct Rounding {
    /// What is rounded, `[outputs, inputs]`.
    let source: StoredMatrix
    let grid: LevelGrid
    let moves: Parameter
  }

  /// Prepares a layer to be trained; nil if its weight is not quantized.
  ///
  /// - Parameters:
  ///   - linear: The layer.
  ///   - unquantized: What the weight may have been before it was quantized, `[outputs, inputs]`,
  ///     float32; nil if nothing is known of that. Where rounding it does not give the codes, such
  ///     as when scales have moved between layers since, codes start from their middle.
  ///   - trainsCodes: Whether the codes are trained; only those of integer groups can be.
  init?(_ linear: Linear, unquantized: Tensor? = nil, trainsCodes: Bool = false) {
    guard let codes = ScaledCodes(linear.weight) else { return nil }
    self.linear = linear
    self.codes = codes
    original = linear.weight
    scaleChange = Parameter("\(linear.name).weight_scale", Tensor(zeros: codes.scales.shape))
    offsetChange = codes.offsets.map {
      Parameter("\(linear.name).weight_offset", Tensor(zeros: $0.shape))
    }
    guard trainsCodes, let groups = original as? GroupQuantizedWeight else {
      (rounding, note) = (nil, nil)
      return
    }
    let moves: Tensor
    switch unquantized.map({ Self.residue($0, codes) }) {
    case (let residue, let share)? where share >= Self.leastShare:
      (moves, note) = (residue, nil)
    case (_, let share)?:
      moves = Tensor(zeros: [linear.rows, linear.columns])
      let percent = Wording.number(100 * share, digits: 2)
      note =
        "codes start from their middle: only \(percent) % of the weights are those of the teacher, "
        + "rounded"
    case nil:
      moves = Tensor(zeros: [linear.rows, linear.columns])
      note = "codes start from their middle: the teacher has no such matrix"
    }
    rounding = Rounding(
      source: codes.levels,
      grid: LevelGrid(groups, countsInScales: true),
      moves: Parameter("\(linear.name).weight_codes", moves)
    )
  }

  /// Prepares a layer whose weight is to be rounded, starting from what rounding to the nearest
  /// gives.
  init(_ linear: Linear, roundedTo nearest: GroupQuantizedWeight) {
    self.linear = linear
    codes = ScaledCodes(nearest)
    original = nearest
    scaleChange = Parameter("\(linear.name).weight_scale", Tensor(zeros: codes.scales.shape))
    offsetChange = codes.offsets.map {
      Parameter("\(linear.name).weight_offset", Tensor(zeros: $0.shape))
    }
    rounding = Rounding(
      source: linear.weight.matrix,
      grid: LevelGrid(nearest),
      moves: Parameter(
        "\(linear.name).weight_codes",
        Tensor(zeros: [linear.rows, linear.columns])
      )
    )
    note = nil
  }

  /// What is trained.
  var parameters: [Parameter] {
    [scaleChange, offsetChange, rounding?.moves].compactMap(\.self)
  }

  /// The root mean square of the scales' relative changes.
  var relativeChange: Double {
    let change = scaleChange.value.detached
    return (change.sumOfSquares() / Double(max(1, change.count))).squareRoot()
  }

  /// Whether scales and offsets are as they were.
  var isAtStart: Bool {
    [scaleChange, offsetChange].compactMap(\.self).allSatisfy {
      $0.value.detached.sumOfSquares() == 0
    }
  }

  /// Starts: the layer multiplies by what the parameters make.
  func begin() { linear.composed = { [unowned self] in composed() } }

  /// Ends: the layer's weight is what was trained, in the representation that it had.
  func finish() {
    linear.composed = nil
    linear.weight = packed()
  }

  /// Ends: the layer's weight is as it was.
  func cancel() { linear.composed = nil }

  /// The weight, `[outputs, inputs]`, float32.
  func composed() -> Tensor {
    guard let rounding else {
      return scales.scaledLevels(
        of: codes.levels,
        groupSize: codes.groupSize,
        offsets: offsets,
        shifts: codes.shifts
      )
    }
    return scales.roundedLevels(
      of: rounding.source,
      grid: rounding.grid,
      offsets: offsets,
      moves: rounding.moves.value
    )
  }

  /// The weight in its representation.
  func packed() -> any LinearWeight {
    let (scales, offsets) = (
      scales.detached.converted(to: codes.scaleType),
      offsets?.detached.converted(to: codes.scaleType)
    )
    guard let rounding, let groups = original as? GroupQuantizedWeight else {
      return codes.assembled(scales, offsets)
    }
    let chosen = scales.converted(to: .float32).levelCodes(
      of: rounding.source,
      grid: rounding.grid,
      offsets: offsets?.converted(to: .float32),
      moves: rounding.moves.value.detached
    )
    return GroupQuantizedWeight(
      codes: chosen.codeStream(bits: groups.groupFormat.bits),
      scales: scales,
      zeroPoints: groups.zeroPoints,
      offsets: offsets,
      format: groups.groupFormat,
      columns: linear.columns
    )
  }

  private var scales: Tensor {
    stored(scaleChange.value * codes.scales + codes.scales)
  }

  private var offsets: Tensor? {
    guard let offsetChange, let base = codes.offsets, let units = codes.offsetUnits else {
      return nil
    }
    return stored(offsetChange.value * units + base)
  }

  private func stored(_ values: Tensor) -> Tensor {
    isRounded ? values.detached.converted(to: codes.scaleType).converted(to: .float32) : values
  }

  /// The least share of weights that must round to their codes for a matrix to count as what was
  /// quantized; the others may have been clipped.
  private static let leastShare = 0.9

  /// How far from its code each weight lay before it was rounded, in codes, inside of what rounds
  /// to the code it has; and the share of those that lie there.
  private static func residue(
    _ unquantized: Tensor,
    _ codes: ScaledCodes
  ) -> (moves: Tensor, share: Double) {
    let (rows, columns) = (unquantized.shape[0], unquantized.shape[1])
    let quantized = codes.scales.scaledLevels(
      of: codes.levels,
      groupSize: codes.groupSize,
      offsets: codes.offsets,
      shifts: codes.shifts
    )
    let groups: Shape = [rows, columns / codes.groupSize, codes.groupSize]
    // A group of zeros has a scale of zero: nothing can move it.
    let scales = codes.scales.reshaped([rows, columns / codes.groupSize, 1])
    let limit = Tensor([0.49] as [Float], shape: [1])
    let steps =
      (unquantized - quantized).reshaped(groups) * scales
      / (scales * scales).maximum(Tensor([Float.leastNormalMagnitude], shape: [1]))
    let near = steps.withElements(as: Float.self) { $0.count { abs($0) <= 0.501 } }
    return (
      steps.minimum(limit).maximum(limit.scaled(by: -1)).reshaped([rows, columns]),
      Double(near) / Double(max(1, steps.count))
    )
  }
}

extension LevelGrid {
  /// The codes of a weight in groups.
  init(_ weight: GroupQuantizedWeight, countsInScales: Bool = false) {
    let format = weight.groupFormat
    self.init(
      groupSize: format.groupSize ?? weight.columns,
      top: (1 << format.bits) - 1,
      middle: format.zero == .offset ? 0 : 1 << (format.bits - 1),
      zeros: weight.zeroPoints,
      countsInScales: countsInScales
    )
  }
}
