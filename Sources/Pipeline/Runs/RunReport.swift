public import Foundation

/// Everything that is known about a finished run; report.json is this value, and every other form
/// of the report is made from it.
public struct RunReport: Sendable, Codable, Hashable {
  /// `slm-compress report`.
  public var schema = "slm-compress report"
  /// The version of the schema; it changes when a reader would have to.
  public var version = 1
  /// The run's name.
  public var name: String
  /// When the report was written, in ISO 8601.
  public var date: String
  /// The machine and the tool.
  public var environment: RunEnvironment
  /// The model's family, and how many parameters it has.
  public var model: ModelDescription
  /// The recipe as the user wrote it.
  public var recipe: String
  /// The recipe with every option written out.
  public var resolvedRecipe: String
  /// How long all stages and measurements took, in seconds, those of earlier runs included.
  public var totalSeconds: Double
  /// What the numbers mean, in the order of tables.
  public var metrics: [MetricDescription]
  /// The baseline, then every stage and export in the order of the recipe.
  public var entries: [Entry]
  /// The bounds with their outcomes.
  public var gates: [GateOutcome]
  /// Whether all bounds hold.
  public var passed: Bool

  /// What a report says about the model before the first stage.
  public struct ModelDescription: Sendable, Codable, Hashable {
    /// The model as the recipe names it.
    public var source: String
    /// The number of parameters.
    public var parameters: Int
    /// The number of decoder blocks.
    public var layers: Int

    /// Creates a description.
    public init(source: String, parameters: Int, layers: Int) {
      self.source = source
      self.parameters = parameters
      self.layers = layers
    }
  }

  enum CodingKeys: String, CodingKey {
    case schema, version, name, date, environment, model, recipe, metrics, entries, gates, passed
    case resolvedRecipe = "resolved_recipe"
    case totalSeconds = "total_seconds"
  }

  /// Creates a report.
  public init(
    name: String,
    date: String,
    environment: RunEnvironment,
    model: ModelDescription,
    recipe: String,
    resolvedRecipe: String,
    totalSeconds: Double,
    metrics: [MetricDescription],
    entries: [Entry],
    gates: [GateOutcome]
  ) {
    self.name = name
    self.date = date
    self.environment = environment
    self.model = model
    self.recipe = recipe
    self.resolvedRecipe = resolvedRecipe
    self.totalSeconds = totalSeconds
    self.metrics = metrics
    self.entries = entries
    self.gates = gates
    passed = gates.allSatisfy(\.passed)
  }
}

extension RunReport {
  /// Writes reports, and everything else in a run directory, the same way every time.
  static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity",
      negativeInfinity: "-Infinity",
      nan: "NaN"
    )
    return encoder
  }

  static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity",
      negativeInfinity: "-Infinity",
      nan: "NaN"
    )
    return decoder
  }

  /// The report as JSON, with sorted keys.
  public var json: Data { get throws { try Self.encoder.encode(self) } }

  /// Reads a report from JSON.
  ///
  /// - Throws: ``RunError`` if it is not a report, or one of a later version.
  public init(json: Data, name: String) throws(RunError) {
    // What a later version looks like is not known, but for these two keys.
    struct Header: Decodable {
      let schema: String
      let version: Int
    }
    if let header = try? Self.decoder.decode(Header.self, from: json),
      header.schema == "slm-compress report", header.version != 1
    {
      throw RunError(
        .file,
        "the report has version \(header.version), this tool reads version 1",
        at: name,
        remedy: "read it with the version of the tool that wrote it"
      )
    }
    guard let report = try? Self.decoder.decode(RunReport.self, from: json),
      report.schema == "slm-compress report"
    else {
      throw RunError(
        .file,
        "this is not a report",
        at: name,
        remedy: "name the report.json of a run directory"
      )
    }
    self = report
  }
}
