extension RunReport {
  /// The model, the result of a stage, or an exported file, with its numbers.
  public struct Entry: Sendable, Codable, Hashable {
    /// What the entry is about.
    public enum Subject: String, Sendable, Codable {
      /// The model before the first stage.
      case baseline
      /// A model that a stage changed.
      case stage
      /// An exported file or folder.
      case export
      /// Measurements that a stage made.
      case measurement
    }

    /// What the entry is about.
    public var subject: Subject
    /// The title in tables: the stage's number and kind, or the exported path.
    public var title: String
    /// The stage's kind; nil for the baseline.
    public var kind: String?
    /// The title of the entry whose model the stage read; nil for the baseline, and in reports of
    /// an earlier version of it.
    public var input: String?
    /// Where it lies: relative to the run directory, or for the baseline the model as the recipe
    /// names it.
    public var path: String
    /// The stage's options with every default written out.
    public var options: String?
    /// Numbers by the keys of ``RunReport/metrics`` and of stages.
    public var numbers: [String: Double]
    /// Seconds that measuring took.
    public var evaluationSeconds: Double?
    /// The SHA-256 digest of an exported file, or of the names and digests of a folder's files.
    public var sha256: String?
    /// The table over the model's parts.
    public var layers: [StageReport.Layer]
    /// What a training's losses were; nil for what is no training.
    public var curve: TrainingCurve?
    /// What to know before trusting the numbers.
    public var warnings: [String]

    /// Creates an entry.
    public init(
      subject: Subject,
      title: String,
      kind: String? = nil,
      input: String? = nil,
      path: String,
      options: String? = nil,
      numbers: [String: Double] = [:],
      evaluationSeconds: Double? = nil,
      sha256: String? = nil,
      layers: [StageReport.Layer] = [],
      curve: TrainingCurve? = nil,
      warnings: [String] = []
    ) {
      self.subject = subject
      self.title = title
      self.kind = kind
      self.input = input
      self.path = path
      self.options = options
      self.numbers = numbers
      self.evaluationSeconds = evaluationSeconds
      self.sha256 = sha256
      self.layers = layers
      self.curve = curve
      self.warnings = warnings
    }

    enum CodingKeys: String, CodingKey {
      case subject, title, kind, input, path, options, numbers, sha256, layers, curve, warnings
      case evaluationSeconds = "evaluation_seconds"
    }
  }
}
