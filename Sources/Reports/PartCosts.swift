import Foundation
import Pipeline

/// Which parts of the model a stage cost most at.
struct PartCosts {
  /// A part.
  struct Part {
    let layer: StageReport.Layer
    let cost: Double
    /// The block's number; nil for what is in none.
    let block: Int?
    /// What it is in its block, such as `self_attn.q_proj`.
    let kind: String
  }

  /// The key of the costs in the table's values.
  let key: String
  /// What the costs are, in words.
  let title: String
  /// Parts with a finite cost, the most costly first.
  let parts: [Part]

  /// What can be a cost, the most telling first: what a stage says of the model's outputs, then of
  /// the part's outputs, then of its numbers.
  private static let keys: [(key: String, title: String)] = [
    ("predicted_kl", "predicted KL"), ("output_error", "relative output error"),
    ("nearest_output_error", "relative output error"), ("score_lost", "share of the score lost"),
    ("state_distance", "distance from the teacher's states"),
    ("weight_error", "relative weight error"), ("relative_error", "relative weight error"),
    ("input_error", "relative input error"), ("divergence", "KL without the block"),
    ("loss", "loss without the block"), ("block_influence", "influence of the block"),
  ]

  /// Finds the costs; nil if the stage tells none, or of one part only.
  ///
  /// Of a scan's divergences at several fractions of zeros these are those at the middle one.
  init?(_ layers: [StageReport.Layer]) {
    let scanned = Self.scanned(layers)
    let middle = scanned.isEmpty ? [] : [scanned[scanned.count / 2]]
    let found = (middle + Self.keys).first { choice in
      layers.filter { $0.values[choice.key]?.isFinite ?? false }.count > 1
    }
    guard let found else { return nil }
    self.init(layers, found)
  }

  /// What is drawn: a scan's divergences at each fraction of zeros, or what else the costs are.
  static func drawn(_ layers: [StageReport.Layer]) -> [PartCosts] {
    let scanned = scanned(layers)
    return scanned.isEmpty ? PartCosts(layers).map { [$0] } ?? [] : scanned.map { Self(layers, $0) }
  }

  /// The keys of divergences at a percentage of zeros, the least first, such as `kl_50`.
  private static func scanned(_ layers: [StageReport.Layer]) -> [(key: String, title: String)] {
    let keys = Set(layers.flatMap(\.values.keys)).filter { $0.hasPrefix("kl_") }
    return keys.compactMap { key in Double(key.dropFirst(3)).map { (key, $0) } }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
      .map { ($0.0, "KL with \($0.0.dropFirst(3)) % zeros") }
  }

  private init(_ layers: [StageReport.Layer], _ choice: (key: String, title: String)) {
    let (key, title) = choice
    self.key = key
    self.title = title
    parts = layers.enumerated().compactMap { index, layer -> (Int, Part)? in
      guard let cost = layer.values[key], cost.isFinite else { return nil }
      let place = Self.place(layer.name)
      return (index, Part(layer: layer, cost: cost, block: place?.block, kind: place?.kind ?? ""))
    }.sorted { ($1.1.cost, $0.0) < ($0.1.cost, $1.0) }.map(\.1)
  }

  /// `model.layers.3.self_attn.q_proj` is `self_attn.q_proj` of block 3.
  static func place(_ name: String) -> (block: Int, kind: String)? {
    let words = name.split(separator: ".", omittingEmptySubsequences: false)
    guard let index = words.firstIndex(of: "layers"), index + 1 < words.count,
      let block = Int(words[index + 1]), block >= 0, block < 100_000
    else { return nil }
    let kind = words[(index + 2)...].joined(separator: ".")
    return (block, kind.isEmpty ? "block" : kind)
  }

  /// The most costly parts in a few words.
  var summary: String {
    parts.prefix(3).map { "\($0.layer.name) \(Wording.number($0.cost, digits: 3))" }
      .joined(separator: ", ")
  }
}
