internal import Models
internal import Pipeline
internal import Tensor

/// The file of a model whose matrices get formats: what can be chosen, and how large the file is
/// then.
struct AllocatedFile {
  /// Matrices that get the same format, since they share an input and are computed together.
  struct Group {
    var names: [String] = []
    /// What each of them can become.
    let candidates: [QuantizationTarget]
    /// The size in the file with each candidate, in bytes.
    var byteCounts: [Int]
  }

  /// What is chosen together, in the model's order.
  private(set) var groups: [Group] = []
  /// The number of weights of the model.
  let parameterCount: Int
  /// The least size of the file, in bytes.
  private(set) var smallest = 0
  /// The size of the file with the largest formats, in bytes.
  private(set) var largest = 0

  private let promise: ModelPromise
  private let layout: any FileLayout
  /// What the smallest file holds beside the groups, in bytes.
  private var fixedByteCount = 0

  /// Lays out the file.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - model: The model, or one that it was made of, for the vocabulary.
  ///   - options: What is selected, its candidates, and the kind of file.
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does, and
  ///   `CheckpointError` for what the file cannot hold.
  init(_ promise: ModelPromise, _ model: LanguageModel, _ options: AllocateOptions) throws {
    self.promise = promise
    parameterCount = promise.configuration.parameterCount
    layout = try options.file.layout(model)
    var positions: [String: Int] = [:]
    for part in options.matrices.select(from: promise) {
      let candidates = options.candidates(columns: part.shape.columns)
      guard !candidates.isEmpty else { continue }
      let key = Self.group(of: part.name)
      let position = positions[key] ?? groups.count
      if position == groups.count {
        groups.append(Group(candidates: candidates, byteCounts: candidates.map { _ in 0 }))
        positions[key] = position
      }
      groups[position].names.append(part.name)
      for (index, candidate) in candidates.enumerated() {
        var part = part
        part.format = candidate.format
        groups[position].byteCounts[index] += layout.byteCount(of: part)
      }
    }
    let least = groups.map { $0.byteCounts.indexOfLeast { $0 } }
    smallest = try byteCount(least)
    largest = try byteCount(groups.map { $0.byteCounts.indexOfLeast { -$0 } })
    fixedByteCount = smallest - zip(groups, least).reduce(0) { $0 + $1.0.byteCounts[$1.1] }
  }

  /// What a matrix is chosen with: query, key and value of a block, or gate and up; else its name.
  private static func group(of name: String) -> String {
    for (suffixes, group) in [
      (["q_proj", "k_proj", "v_proj"], "qkv"), (["gate_proj", "up_proj"], "gate_up"),
    ] {
      for suffix in suffixes where name.hasSuffix("." + suffix) {
        return name.dropLast(suffix.count) + group
      }
    }
    return name
  }

  /// What each matrix becomes with a choice for each group.
  func targets(_ picked: [Int]) -> [String: QuantizationTarget] {
    var targets: [String: QuantizationTarget] = [:]
    for (group, index) in zip(groups, picked) {
      for name in group.names { targets[name] = group.candidates[index] }
    }
    return targets
  }

  /// The size of the file with a choice for each group, in bytes.
  ///
  /// - Throws: `CheckpointError` for what the file cannot hold.
  func byteCount(_ picked: [Int]) throws -> Int {
    let targets = targets(picked)
    var promise = promise
    promise.update(Set(targets.keys)) { part in
      if let target = targets[part.name] { part.format = target.format }
    }
    return try layout.byteCount(of: promise)
  }

  /// Chooses formats for the predicted divergences.
  func allocation(_ predictions: Sensitivities) -> Allocation {
    Allocation(
      groups.map { group in
        zip(group.candidates, group.byteCounts).map { candidate, byteCount in
          Allocation.Choice(
            byteCount: byteCount,
            cost: group.names.reduce(0) {
              $0 + predictions.divergence(of: $1, candidate.format)
            }
          )
        }
      }
    )
  }

  /// The choice of least cost with which the file does not exceed a size; nil if it always does.
  ///
  /// - Throws: `CheckpointError` for what the file cannot hold.
  func choices(of allocation: Allocation, within byteCount: Int) throws -> [Int]? {
    var room = byteCount - fixedByteCount
    while let picked = allocation.choices(within: room) {
      // Numbers in a header of text have more digits than in that of the smallest file.
      let excess = try self.byteCount(picked) - byteCount
      if excess <= 0 { return picked }
      room -= excess
    }
    return nil
  }

  /// Why a budget is none for this file; nil if it is one.
  func objection(to budget: (byteCount: Int, option: String)) -> String? {
    guard !(smallest...max(smallest, largest)).contains(budget.byteCount) else { return nil }
    func text(_ byteCount: Int) -> String {
      let bits = 8 * Double(byteCount) / Double(max(1, parameterCount))
      return "\(byteCount) bytes (\(Wording.number(bits, digits: 4)) bits a weight)"
    }
    let range = "files from \(text(smallest)) to \(text(largest)) can be made of these formats"
    return budget.byteCount < smallest
      ? "\(text(budget.byteCount)) are too few; \(range)"
      : "\(text(budget.byteCount)) are more than the largest formats need, so that there is "
        + "nothing to choose; \(range)"
  }

  /// The divergence that is predicted for a choice for each group.
  func divergence(_ picked: [Int], _ sensitivities: Sensitivities) -> Double {
    zip(groups, picked).reduce(0) { sum, choice in
      let (group, index) = choice
      return group.names.reduce(sum) {
        $0 + sensitivities.divergence(of: $1, group.candidates[index].format)
      }
    }
  }
}

extension [Int] {
  /// Where a key is least, of several places the first; 0 if there are no elements.
  fileprivate func indexOfLeast(_ key: (Int) -> Int) -> Int {
    indices.min { key(self[$0]) < key(self[$1]) } ?? 0
  }
}
