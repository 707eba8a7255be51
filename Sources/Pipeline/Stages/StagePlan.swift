/// What a stage is expected to do and need, estimated from headers before anything runs.
///
/// What a stage leaves at nil is filled in from the promise where that says it.
public struct StagePlan: Sendable, Hashable {
  /// What a pattern of the recipe matches.
  public struct Match: Sendable, Hashable {
    /// The pattern as written.
    public let pattern: String
    /// How many weights it matches.
    public let count: Int
    /// How many numbers these hold.
    public let parameterCount: Int

    /// Creates a match.
    public init(pattern: String, count: Int, parameterCount: Int) {
      self.pattern = pattern
      self.count = count
      self.parameterCount = parameterCount
    }
  }

  /// What each pattern matches.
  public var matches: [Match]
  /// The size of the checkpoint or exported file.
  public var outputByteCount: Int?
  /// Bits stored per parameter of the model, everything counted.
  public var bitsPerWeight: Double?
  /// About the most memory that is resident during the stage, in bytes, mapped files included.
  public var peakByteCount: Int?
  /// About how long the stage takes on a machine with two cores, in seconds.
  public var seconds: Double?
  /// Remarks for the reader of the plan, such as which matrices fall back to another format.
  public var notes: [String]
  /// What does not stop the stage and may spoil its result, such as a text that is too short, each
  /// with the option to look at.
  public var warnings: [StageProblem] = []

  /// Creates a plan.
  public init(
    matches: [Match] = [],
    outputByteCount: Int? = nil,
    bitsPerWeight: Double? = nil,
    peakByteCount: Int? = nil,
    seconds: Double? = nil,
    notes: [String] = []
  ) {
    self.matches = matches
    self.outputByteCount = outputByteCount
    self.bitsPerWeight = bitsPerWeight
    self.peakByteCount = peakByteCount
    self.seconds = seconds
    self.notes = notes
  }
}
