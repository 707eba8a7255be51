public import Calibrate
public import Pipeline

/// How much of the unevenness of inputs goes over into weights: a number, or the best by search.
public enum SmoothingAlpha: RecipeText, Hashable {
  /// The number for all places.
  case fixed(Double)
  /// For each place the scales with the least error, by a number or channel by channel.
  case search

  /// “a number from 0 to 1 or `search`”.
  public static var typeName: String { "a number from 0 to 1 or `search`" }

  /// Reads a number from 0 to 1, or `search`.
  public init?(recipeText: String) {
    if recipeText == "search" {
      self = .search
    } else if let value = Double(recipeText), (0...1).contains(value) {
      self = .fixed(value)
    } else {
      return nil
    }
  }

  /// The number, or `search`.
  public var recipeText: String {
    switch self {
    case .search: "search"
    case .fixed(let value): Wording.exact(value)
    }
  }
}

/// Which layers' inputs are smoothed.
public enum SmoothingPlaces: String, RecipeChoice {
  case all, normalized

  /// What the choice means.
  public var summary: String {
    switch self {
    case .all: "those of all layers of the blocks"
    case .normalized: "those that come from a normalization: query, key, value, gate and up"
    }
  }
}

/// The options of `quantize.smooth`.
public struct SmoothOptions: StageOptions {
  /// How much of the unevenness goes over into weights.
  public var alpha = SmoothingAlpha.search
  /// Which inputs.
  public var places = SmoothingPlaces.all
  /// The text on which inputs are collected.
  public var calibration = CalibrationOptions()

  /// Creates the default options: the best scales for all inputs.
  public init() {}

  /// The options.
  public static var fields: [Field<SmoothOptions>] {
    [
      .field(
        "alpha",
        \.alpha,
        "How much of the inputs' unevenness goes over into weights: 0 evens out the weights, 1 the "
          + "inputs. `search` takes for each place what gives the least error of outputs with 8-bit "
          + "weights (a scale per row) and inputs (a scale per token): a number in steps of 0.05, or "
          + "scales that minimize the expected error channel by channel."
      ),
      .field("places", \.places, "Which layers' inputs are smoothed."),
      .field("calibration", \.calibration, "The text on which the layers' inputs are collected."),
    ]
  }
}
