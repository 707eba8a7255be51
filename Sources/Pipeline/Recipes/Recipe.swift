import Models

/// A model, the stages it goes through, how the results are measured, and what they must reach.
public struct Recipe: OptionGroup {
  /// What the run directory is called; empty for the recipe file's name.
  public var name = ""
  /// The model to start from.
  public var model = ModelInput.existing(ModelPath(""))
  /// Where all randomness starts.
  public var seed: UInt64 = 0
  /// Where stages keep what serves other recipes too; nil for the run directory.
  public var cache: CachePath?
  /// How results are measured; nil to measure sizes only.
  public var evaluation: EvaluationSettings?
  /// What is done, in order.
  public var stages: [RecipeStage] = []
  /// What the results must reach.
  public var gates = GateList()

  /// Creates an empty recipe.
  public init() {}

  /// The keys of a recipe.
  public static var fields: [Field<Recipe>] {
    [
      .field(
        "name",
        \.name,
        condition: "must be letters, digits, `-`, `_` and `.`",
        isFolderName,
        "Name of the run, and of its directory. By default that of the recipe's file."
      ),
      .required(
        "model",
        \.model,
        "The model to start from: a folder in Hugging Face's layout, a GGUF file, the name of a model "
          + "in the local hub cache, or a new one that is described under `new`."
      ),
      .field(
        "seed",
        \.seed,
        "Where all randomness starts; the same seed gives the same bytes."
      ),
      .field(
        "cache",
        \.cache,
        "A folder in which stages keep what takes long to find out and serves other recipes too, "
          + "such as matrices' sensitivities, found again by the content of model and text; made if "
          + "it is not there. By default `cache` in the run directory, which serves only it."
      ),
      .field(
        "evaluation",
        \.evaluation,
        "What is measured on the model as it was, after every stage that changes it unless "
          + "`after: exports`, and on every exported file. Without it only sizes are reported."
      ),
      .field("stages", \.stages, "What is done, in order: a list of stages with their options."),
      .field(
        "gates",
        \.gates,
        "Bounds on what is reported, by metric. A run that misses one exits with status 3."
      ),
    ]
  }

  @Sendable
  private static func isFolderName(_ name: String) -> Bool {
    !name.hasPrefix(".") && name.count <= 100
      && name.unicodeScalars.allSatisfy {
        $0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0)
      }
  }

  /// Finds exports that write to one place, and gates that nothing can answer.
  public func problems() -> [StageProblem] {
    if stages.isEmpty { return [StageProblem("the recipe has no stages", option: "stages")] }
    return exportProblems + gateProblems
  }

  private var exportProblems: [StageProblem] {
    var problems: [StageProblem] = []
    for (index, stage) in stages.enumerated() {
      guard let path = stage.stage.exportPath else { continue }
      for (other, earlier) in stages[..<index].enumerated() {
        guard let taken = earlier.stage.exportPath else { continue }
        if path == taken || path.hasPrefix(taken + "/") || taken.hasPrefix(path + "/") {
          problems.append(
            StageProblem(
              "`\(path)` is where stage \(other) (\(earlier.kind)) writes already",
              option: "stages.\(index).path"
            )
          )
        }
      }
      if Self.reservedNames.contains(path.prefix { $0 != "/" }.lowercased())
        || RunDirectory.stageNumber(String(path.prefix { $0 != "/" })) != nil
      {
        problems.append(
          StageProblem(
            "`\(path)` is a name the run directory uses itself",
            option: "stages.\(index).path"
          )
        )
      }
    }
    return problems
  }

  static let reservedNames: Set<String> = [
    "recipe.yaml", "recipe.resolved.yaml", "environment.json", "report.json", "report.md",
    "report.html", "report.xml", "log.txt", "run.lock", "cache",
  ]

  private var gateProblems: [StageProblem] {
    let names = gateTargets
    var problems: [StageProblem] = []
    for gate in gates.gates {
      let target = names.first { $0.name == gate.bound.of }
      // A stage that measures brings its numbers itself.
      let measuring = target.map { stages[$0.stage] }.flatMap { $0.effect == .measures ? $0 : nil }
      if let objection = measuring.map({ $0.stage.missing(gate.metric.name) })
        ?? missing(gate.metric, stage: target?.stage)
      {
        problems.append(StageProblem("`\(gate.metric.name)` \(objection)", option: gate.path))
      }
      if let target = gate.bound.of, names.filter({ $0.name == target }).count != 1 {
        let count = names.filter { $0.name == target }.count
        let hint = Wording.didYouMean(target, names.map(\.name), orList: "there are")
        problems.append(
          StageProblem(
            count == 0
              ? "no export or stage is called `\(target)`\(hint)"
              : "\(count) stages are called `\(target)`; name one by its number and kind, such as "
                + "`\(names.first { $0.name.hasSuffix("-\(target)") }?.name ?? "")`",
            option: gate.path + ".of"
          )
        )
      }
    }
    return problems
  }

  /// Whether what a stage leaves behind is measured, if the recipe has an `evaluation`.
  func measures(_ index: Int) -> Bool {
    switch stages[index].effect {
    case .measures, .restoresBaseline: return false
    case .exports: return true
    case .changesModel:
      // Without exports the last model is what gates are for.
      return evaluation?.after == .stages
        || !stages.contains { $0.effect == .exports }
          && !stages[(index + 1)...].contains { $0.effect == .changesModel }
    }
  }

  private func missing(_ metric: Metric, stage: Int?) -> String? {
    if metric.source == .stage {
      return "is measured only by a stage such as `evaluate`, which `of` has to name"
    }
    if metric.source != .run, evaluation == nil {
      return "is measured only if the recipe has an `evaluation`"
    }
    if metric.source == .agreement, !(evaluation?.agreement ?? false) {
      return "is measured only with `agreement: true`"
    }
    if metric.source != .run, let stage, !measures(stage) {
      return "is measured there only with `evaluation: { after: stages }`"
    }
    return nil
  }

  /// What a gate can be of: the path of an export, the kind of a stage, or its number and kind.
  var gateTargets: [(name: String, stage: Int)] {
    var targets: [(name: String, stage: Int)] = []
    for (index, stage) in stages.enumerated() where stage.effect != .restoresBaseline {
      if let path = stage.stage.exportPath { targets.append((path, index)) }
      targets.append((stage.kind, index))
      targets.append((Self.folderName(index, stage.kind), index))
    }
    return targets
  }

  /// The name of a stage's folder in the run directory, such as `02-quantize.gptq`.
  static func folderName(_ index: Int, _ kind: String) -> String {
    (index < 9 ? "0" : "") + "\(index + 1)-\(kind)"
  }

  /// The recipe as YAML with every option written out; reads back to an equal recipe.
  public var resolvedText: String { RecipePrinter.block(recipeNode) }
}
