public import Models
public import Tensor

/// Options of the parameters whose names fit a pattern.
public struct ParameterGroup: Sendable, Hashable {
  /// Which parameters, such as `*.embed_tokens.weight`.
  public var pattern: NamePattern
  /// The factor of their learning rate; 0 lets them stay as they are, but for their moments.
  public var rateFactor: Double
  /// Their weight decay; the optimizer's if nil.
  public var weightDecay: Double?

  /// Creates a group.
  public init(_ pattern: String, rateFactor: Double = 1, weightDecay: Double? = nil) {
    self.pattern = NamePattern(pattern)
    self.rateFactor = rateFactor
    self.weightDecay = weightDecay
  }
}

/// Which options hold for which parameters: those of the first group that fits.
///
/// A parameter of one axis or none, such as a norm's weight or a bias, has no weight decay unless
/// its group sets one. Embeddings decay like other matrices, as in transformers' trainer.
public struct ParameterGroups: Sendable, Hashable {
  /// The groups, in the order of precedence.
  public var groups: [ParameterGroup]

  /// Creates a list of groups; by default all parameters have the same options.
  public init(_ groups: [ParameterGroup] = []) { self.groups = groups }

  /// The options of a parameter.
  ///
  /// - Parameters:
  ///   - name: The parameter's name.
  ///   - shape: Its shape.
  ///   - weightDecay: The optimizer's weight decay.
  /// - Returns: The factor of the learning rate, and the weight decay.
  public func options(
    _ name: String,
    shape: Shape,
    weightDecay: Double
  ) -> (rateFactor: Double, weightDecay: Double) {
    let usual = shape.rank > 1 ? weightDecay : 0
    guard let group = groups.first(where: { $0.pattern.matches(name) }) else { return (1, usual) }
    return (group.rateFactor, group.weightDecay ?? usual)
  }

  /// The groups as a text, by which a saved state is told from that of others.
  var summary: String {
    groups.map { "\($0.pattern)=\($0.rateFactor)/\($0.weightDecay.map { "\($0)" } ?? "usual")" }
      .joined(separator: " ")
  }

  /// Checks that every group fits some parameter and has usable options.
  func check(_ names: [String]) throws(TrainingError) {
    for group in groups {
      let (factor, decay) = (group.rateFactor, group.weightDecay ?? 0)
      guard factor >= 0, factor.isFinite, decay >= 0, decay.isFinite else {
        throw TrainingError(
          .invalidOptions,
          "learning rate factor \(factor) or weight decay \(decay) is negative or not finite",
          at: group.pattern.text,
          remedy: "use numbers from 0"
        )
      }
      guard !names.contains(where: group.pattern.matches) else { continue }
      let nearest = group.pattern.nearest(among: names)
      throw TrainingError(
        .invalidOptions,
        "no parameter to train has a name that fits",
        at: group.pattern.text,
        remedy: "correct the pattern"
          + (nearest.isEmpty ? "" : "; nearest names: \(nearest.joined(separator: ", "))")
      )
    }
  }
}
