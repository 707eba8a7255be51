public import Calibrate
internal import Models
public import Pipeline

/// A direction in which a model can be made narrower.
public enum WidthAxis: String, RecipeChoice {
  case feedForward = "feed_forward"
  case heads, hidden

  /// What the choice means.
  public var summary: String {
    switch self {
    case .feedForward: "the neurons of the feed-forward layers"
    case .heads: "the heads of attention: key heads, each with its query heads"
    case .hidden: "the channels of the residual stream"
    }
  }
}

/// What says how much a channel matters.
public enum WidthImportance: String, RecipeChoice {
  case contribution, activation, taylor, magnitude

  /// What the choice means.
  public var summary: String {
    switch self {
    case .contribution:
      "the root mean square of the channel over the text times the norm of the weights that use it"
    case .activation: "the root mean square of the channel over the text"
    case .taylor:
      "what the loss changes by without the channel, to first order, from gradients; takes "
        + "three times as long"
    case .magnitude: "the norm of the channel's weights; no text is needed"
    }
  }
}

/// The options of `prune.width`.
public struct WidthOptions: StageOptions {
  /// How many feed-forward neurons stay in each block.
  public var feedForward: Amount?
  /// How many query heads stay in each block.
  public var heads: Amount?
  /// How many channels of the residual stream stay.
  public var hidden: Amount?
  /// The most weights that the model may have afterwards.
  public var parametersAtMost: ParameterCount?
  /// What `parametersAtMost` is reached by.
  public var axes: [WidthAxis] = [.feedForward, .heads]
  /// What sizes are rounded to.
  public var multiple = 32
  /// What says how much a channel matters.
  public var importance = WidthImportance.contribution
  /// Whether what remains makes up for what is removed.
  public var compensate = true
  /// What keeps the compensation stable.
  public var damping = 0.01
  /// The text.
  public var calibration = {
    var options = CalibrationOptions()
    options.sequences = 32
    return options
  }()

  /// Creates the defaults; a size has to be given.
  public init() {}

  /// The options.
  public static var fields: [Field<WidthOptions>] {
    [
      .field(
        "feed_forward",
        \.feedForward,
        "How many neurons stay in the feed-forward layer of each block, or what fraction; a "
          + "fraction is rounded to a `multiple`. At least one of `feed_forward`, `heads`, `hidden` "
          + "and `parameters_at_most` must be given."
      ),
      .field(
        "heads",
        \.heads,
        "How many query heads stay in each block, or what fraction. Those that share a key head go "
          + "together with it."
      ),
      .field(
        "hidden",
        \.hidden,
        "How many channels of the residual stream stay, or what fraction. They are the same in all "
          + "blocks, in the embedding and the head."
      ),
      .field(
        "parameters_at_most",
        \.parametersAtMost,
        "The most weights that remain. How much of each of the `axes` goes is decided by what the "
          + "loss on the text rises by when a quarter of it does."
      ),
      .field("axes", \.axes, "What is made narrower to reach `parameters_at_most`."),
      .field(
        "multiple",
        \.multiple,
        in: 1...4096,
        "What sizes that are not counts are rounded to, heads excepted. GGUF's K-quants need 256, "
          + "its other formats 32."
      ),
      .field("importance", \.importance, "What says how much a channel matters."),
      .field(
        "compensate",
        \.compensate,
        "Whether the projections behind removed neurons and heads are refitted, by least squares "
          + "over the text, so that what remains makes up for what is removed."
      ),
      .field(
        "damping",
        \.damping,
        in: ValueRange.above(0, through: 1),
        "How strongly refitted weights are held to what they were, as a fraction of the mean square "
          + "of the channels that remain."
      ),
      .field("calibration", \.calibration, "The text."),
    ]
  }

  /// Finds that no size is given, or more than fits together.
  public func problems() -> [StageProblem] {
    let sizes = [("feed_forward", feedForward), ("heads", heads), ("hidden", hidden)]
    let given = sizes.filter { $0.1 != nil }
    if parametersAtMost == nil {
      guard given.isEmpty else { return [] }
      let all = "`feed_forward`, `heads`, `hidden` and `parameters_at_most`"
      return [StageProblem("one of \(all) must say what remains")]
    }
    if let first = given.first {
      return [
        StageProblem(
          "sizes follow from `parameters_at_most`; give it or `\(first.0)`",
          option: first.0
        )
      ]
    }
    guard axes.isEmpty else { return [] }
    return [StageProblem("axes must name what is made narrower", option: "axes")]
  }
}

/// The sizes of a model that `prune.width` changes.
struct WidthSizes: Hashable {
  var feedForward: Int
  var keyHeads: Int
  var hidden: Int

  init(_ configuration: ModelConfiguration) {
    feedForward = configuration.feedForwardSize
    keyHeads = configuration.keyHeads
    hidden = configuration.hiddenSize
  }

  subscript(axis: WidthAxis) -> Int {
    get {
      switch axis {
      case .feedForward: feedForward
      case .heads: keyHeads
      case .hidden: hidden
      }
    }
    set {
      switch axis {
      case .feedForward: feedForward = newValue
      case .heads: keyHeads = newValue
      case .hidden: hidden = newValue
      }
    }
  }

  /// The configuration with these sizes.
  func applied(to configuration: ModelConfiguration) -> ModelConfiguration {
    configuration.reduced(
      feedForwardSize: feedForward,
      keyHeads: keyHeads,
      hiddenSize: hidden
    )
  }
}

extension WidthOptions {
  /// The sizes that the options name, without `parameters_at_most`, and what is wrong with them.
  func namedSizes(_ configuration: ModelConfiguration) -> (sizes: WidthSizes, [StageProblem]) {
    var sizes = WidthSizes(configuration)
    var problems: [StageProblem] = []
    func problem(_ option: String, _ message: String) {
      problems.append(StageProblem(message, option: option))
    }
    for (option, axis, amount, total) in [
      ("feed_forward", WidthAxis.feedForward, feedForward, configuration.feedForwardSize),
      ("hidden", .hidden, hidden, configuration.hiddenSize),
    ] {
      guard let amount else { continue }
      sizes[axis] = amount.resolved(of: total, multiple: multiple)
      if sizes[axis] >= total {
        problem(option, "\(sizes[axis]) of \(total) would stay: nothing would be removed")
      }
    }
    if let heads {
      let perKey = configuration.queryHeads / configuration.keyHeads
      let queries = heads.resolved(of: configuration.queryHeads, multiple: perKey)
      sizes.keyHeads = queries / perKey
      if queries % perKey != 0 {
        problem(
          "heads",
          "\(queries) query heads are no whole groups: \(perKey) share a key head"
        )
      } else if sizes.keyHeads >= configuration.keyHeads {
        problem(
          "heads",
          "\(queries) of \(configuration.queryHeads) would stay: nothing would be removed"
        )
      }
    }
    if problems.isEmpty, let objection = objection(sizes, configuration) {
      problems.append(objection)
    }
    return (sizes, problems)
  }

  /// Why transformers would not load a model of some sizes; nil if it does.
  func objection(_ sizes: WidthSizes, _ configuration: ModelConfiguration) -> StageProblem? {
    let smaller = sizes.applied(to: configuration)
    guard !smaller.isLegal, configuration.isLegal else { return nil }
    let perKey = configuration.queryHeads / configuration.keyHeads
    let fitting = stride(from: perKey, to: configuration.queryHeads, by: perKey).filter {
      sizes.hidden % $0 == 0
    }
    let heads = fitting.isEmpty ? "" : "; \(Wording.list(fitting.map(String.init), "and")) heads do"
    return StageProblem(
      "\(smaller.queryHeads) query heads do not divide a width of \(smaller.hiddenSize), as "
        + "\(configuration.architecture.modelType) models must have it\(heads); so does a "
        + "multiple of \(smaller.queryHeads) as width",
      option: self.heads != nil ? "heads" : "hidden"
    )
  }

  /// What sizes of an axis are multiples of.
  func step(_ axis: WidthAxis) -> Int { axis == .heads ? 1 : multiple }
}

extension ModelConfiguration {
  /// Whether transformers takes the sizes: for some families it wants heads to divide the width,
  /// although a head's size is said by itself.
  var isLegal: Bool { architecture != .llama || hiddenSize % queryHeads == 0 }
}
