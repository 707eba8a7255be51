public import Calibrate
internal import Models
public import Pipeline

/// How blocks are chosen that a model can do without.
public enum DepthMethod: String, RecipeChoice {
  case blockInfluence = "block_influence"
  case perplexity, kl

  /// What the choice means.
  public var summary: String {
    switch self {
    case .blockInfluence:
      "how much a block turns the residual stream: 1 − cosine before and after; one pass over the "
        + "text. With `contiguous`: the angle between the stream before and after the run"
    case .perplexity: "the loss without the block, measured for each; many passes over the text"
    case .kl:
      "the divergence of the predictions without the block from the model's own, measured for each; "
        + "many passes"
    }
  }
}

/// How many blocks at either end are never removed.
public struct ProtectedBlocks: OptionGroup {
  /// Blocks at the beginning.
  public var first = 1
  /// Blocks at the end.
  public var last = 1

  /// Protects one at each end.
  public init() {}

  /// The options.
  public static var fields: [Field<ProtectedBlocks>] {
    [
      .field("first", \.first, in: 0..., "Blocks at the beginning that stay."),
      .field("last", \.last, in: 0..., "Blocks at the end that stay."),
    ]
  }

  /// The numbers of the blocks that may go.
  func candidates(of count: Int) -> Range<Int> {
    let start = min(first, count)
    return start..<max(start, count - last)
  }
}

/// The options of `prune.depth`.
public struct DepthOptions: StageOptions {
  /// How many blocks to remove.
  public var blocks: Amount?
  /// How many blocks to keep.
  public var keep: Amount?
  /// The most weights that the model may have afterwards.
  public var parametersAtMost: ParameterCount?
  /// Which blocks to remove.
  public var layers: [Int] = []
  /// How blocks are chosen.
  public var method = DepthMethod.blockInfluence
  /// Whether the removed blocks follow one another.
  public var contiguous = false
  /// Whether blocks are measured again after each that is chosen.
  public var greedy = true
  /// Which blocks are not removed.
  public var protect = ProtectedBlocks()
  /// The text.
  public var calibration = {
    var options = CalibrationOptions()
    options.sequences = 16
    return options
  }()

  /// Creates the defaults; a number of blocks has to be given.
  public init() {}

  /// The options.
  public static var fields: [Field<DepthOptions>] {
    [
      .field(
        "blocks",
        \.blocks,
        "How many blocks to remove, or what fraction. One of `blocks`, `keep`, "
          + "`parameters_at_most` and `layers` must be given."
      ),
      .field("keep", \.keep, "How many blocks to keep, or what fraction."),
      .field(
        "parameters_at_most",
        \.parametersAtMost,
        "The most weights that remain; as few blocks are removed as that takes."
      ),
      .field(
        "layers",
        \.layers,
        "The numbers of the blocks to remove, from 0; nothing is measured."
      ),
      .field("method", \.method, "How blocks are chosen."),
      .field(
        "contiguous",
        \.contiguous,
        "Whether the removed blocks follow one another: the run is chosen that matters least as a "
          + "whole."
      ),
      .field(
        "greedy",
        \.greedy,
        "With `perplexity` and `kl`: whether blocks are removed one at a time, and those that are "
          + "left measured again without it. Otherwise the blocks that matter least alone are "
          + "removed."
      ),
      .field("protect", \.protect, "Blocks that are never chosen."),
      .field("calibration", \.calibration, "The text on which blocks are measured."),
    ]
  }

  /// Finds that not exactly one of the ways to say how many blocks is used.
  public func problems() -> [StageProblem] {
    let given = [
      blocks.map { _ in "blocks" }, keep.map { _ in "keep" },
      parametersAtMost.map { _ in "parameters_at_most" }, layers.isEmpty ? nil : "layers",
    ].compactMap(\.self)
    guard given.count != 1 else { return [] }
    let all = "`blocks`, `keep`, `parameters_at_most` and `layers`"
    return [
      given.isEmpty
        ? StageProblem("one of \(all) must say what to remove")
        : StageProblem("only one of \(all) may be given", option: given[1])
    ]
  }

  /// The number of blocks to remove from a model, or why that is impossible.
  func removalCount(_ configuration: ModelConfiguration) -> Result<Int, DepthObjection> {
    let total = configuration.layerCount
    func objection(_ option: String, _ message: String) -> Result<Int, DepthObjection> {
      .failure(DepthObjection(problem: StageProblem(message, option: option)))
    }
    guard layers.isEmpty else {
      if let outside = layers.firstIndex(where: { $0 < 0 || $0 >= total }) {
        return objection(
          "layers.\(outside)",
          "there is no block \(layers[outside]); the model has blocks 0 to \(total - 1)"
        )
      }
      if let repeated = layers.indices.first(where: { layers[..<$0].contains(layers[$0]) }) {
        return objection("layers.\(repeated)", "block \(layers[repeated]) is named twice")
      }
      return layers.count < total
        ? .success(layers.count) : objection("layers", "no block would remain")
    }
    let free = protect.candidates(of: total).count
    let count: Int
    let option: String
    if let blocks {
      (count, option) = (blocks.resolved(of: total), "blocks")
    } else if let keep {
      (count, option) = (total - keep.resolved(of: total), "keep")
    } else if let parametersAtMost {
      option = "parameters_at_most"
      let fits = (0..<total).first {
        configuration.reduced(layerCount: total - $0).parameterCount <= parametersAtMost.count
      }
      guard let fits else {
        let least = configuration.reduced(layerCount: 1).parameterCount
        return objection(option, "even one block leaves \(least) weights")
      }
      count = fits
    } else {
      return objection("blocks", "nothing says how many blocks to remove")
    }
    guard count > 0 else {
      return objection(option, "nothing would be removed from \(total) blocks")
    }
    guard count <= free, count < total else {
      return objection(
        option,
        "\(count) of \(total) blocks would have to go, and \(free) are not protected"
      )
    }
    return .success(count)
  }
}

/// Why blocks cannot be removed.
struct DepthObjection: Error {
  let problem: StageProblem
}
