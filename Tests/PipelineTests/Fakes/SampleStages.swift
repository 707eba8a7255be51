import Foundation
import Models
import Pipeline
import Tensor

/// A way to order columns, for options with choices.
enum SampleOrder: String, RecipeChoice {
  case stored
  case byDiagonal = "by_diagonal"

  var summary: String {
    switch self {
    case .stored: "as stored"
    case .byDiagonal: "by falling diagonal"
    }
  }
}

/// A rule inside a list, for options with options of their own.
struct SampleRule: OptionGroup {
  var selection = WeightSelection()
  var bits = 4

  static var fields: [Field<SampleRule>] {
    Field.fields(of: \.selection) + [.required("bits", \.bits, in: 2...8, "Bits per code.")]
  }
}

/// Options of every type there is.
struct SampleOptions: StageOptions {
  var sparsity = 0.5
  var bits = 4
  var groupSize: Int? = 32
  var order = SampleOrder.stored
  var isSymmetric = true
  var text = TextInput.builtinCalibration
  var label: String?
  var limit = ByteSize(64 << 20)
  var rates: [Double] = [0.1, 0.01]
  var rules: [SampleRule] = []
  var others = WeightSelection(targets: [NamePattern("*.down_proj")])
  var selection = WeightSelection()

  static var fields: [Field<SampleOptions>] {
    [
      .field("sparsity", \.sparsity, in: 0..<1, "Fraction of weights set to zero."),
      .field("bits", \.bits, in: 2...8, "Bits per code."),
      .field("group_size", \.groupSize, in: 1..., "Columns that share a scale; `null` for all."),
      .field("order", \.order, "The order of columns."),
      .field("is_symmetric", \.isSymmetric, "Whether codes are symmetric around zero."),
      .field("text", \.text, "The calibration text."),
      .field("label", \.label, "A name."),
      .field("limit", \.limit, in: ByteSize(1)..., "Most memory."),
      .field(
        "rates",
        \.rates,
        condition: "must not be empty",
        { !$0.isEmpty },
        "Learning rates."
      ),
      .field("rules", \.rules, "Rules for some layers."),
      .field("others", \.others, "Layers with another default than elsewhere."),
    ] + Field.fields(of: \.selection)
  }

  func problems() -> [StageProblem] {
    guard bits > 4, order == .byDiagonal else { return [] }
    return [StageProblem("more than 4 bits need the order `stored`", option: "order")]
  }
}

/// A stage with options of every type; it does nothing.
struct SampleStage: Stage {
  static let kind = "sample.all"
  static let summary = "Does nothing with many options."
  static let effect = StageEffect.measures
  let options: SampleOptions

  init(_ options: SampleOptions) { self.options = options }

  var fittedTexts: [FittedText] {
    [FittedText(.text(options.text, tokens: 32_768), option: "text")]
  }

  func check(_ promise: inout ModelPromise) -> [StageProblem] {
    options.selection.check(promise)
      + WeightSelection.overlaps(
        options.rules.enumerated().map { ("rules.\($0.offset)", $0.element.selection) },
        in: promise
      )
  }

  func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    // As a training does it: 1000 steps, and held-out text before the first and after the last.
    let lines = (0...1000).map { step in
      let held = step % 1000 == 0 ? ",\"validation_loss\":\(3 - step / 500)" : ""
      return "{\"step\":\(step)\(step > 0 ? ",\"loss\":\(step)" : "")\(held)}\n"
    }
    try Data(lines.joined().utf8).write(to: context.folder.appending(path: "metrics.jsonl"))
    return StageReport(metrics: ["answer": 42])
  }
}

struct ScaleOptions: StageOptions {
  var factor = 2.0
  var note: InputPath?
  var reference: ModelPath?
  var selection = WeightSelection()

  static var fields: [Field<ScaleOptions>] {
    [
      .field("factor", \.factor, in: .above(0), "What every weight is multiplied by."),
      .field("note", \.note, "A file the stage depends on."),
      .field("reference", \.reference, "A model the stage depends on."),
    ] + Field.fields(of: \.selection)
  }
}

/// Multiplies weights by a factor: a stage that changes the model.
struct ScaleStage: Stage {
  static let kind = "test.scale"
  static let summary = "Multiplies weights."
  static let effect = StageEffect.changesModel
  let options: ScaleOptions

  init(_ options: ScaleOptions) { self.options = options }

  func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let problems = options.selection.check(promise)
    if problems.isEmpty {
      promise.update(Set(options.selection.select(from: promise).map(\.name))) {
        $0.format = .elements(.float32)
      }
    }
    return problems
  }

  func plan(_ promise: ModelPromise) -> StagePlan {
    StagePlan(matches: options.selection.matches(in: promise), seconds: 1)
  }

  func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    var layers: [StageReport.Layer] = []
    for block in model.blocks {
      for linear in block.linears where options.selection.selects(linear.name) {
        let elements = linear.weight.dense.elements(as: Float.self)
        let scaled = elements.map { $0 * Float(options.factor) }
        linear.weight = DenseWeight(Tensor(scaled, shape: [linear.rows, linear.columns]))
        layers.append(StageReport.Layer(linear.name, ["relative_error": abs(options.factor - 1)]))
        try FaultPlan.pass("\(linear.name) of \(options.factor)")
      }
      try context.finishBlock(block.index, of: model.blocks.count)
      try FaultPlan.pass("block \(block.index)")
    }
    return StageReport(metrics: ["seed": Double(context.seed >> 12)], layers: layers)
  }
}

struct DumpOptions: StageOptions {
  var path = ExportPath("")
  var isFolder = false

  static var fields: [Field<DumpOptions>] {
    [
      .required("path", \.path, "Where to write."),
      .field("folder", \.isFolder, "Whether to write a folder."),
    ]
  }
}

/// Writes all weights as text: a stage that exports.
struct DumpStage: Stage {
  static let kind = "test.dump"
  static let summary = "Writes weights as text."
  static let effect = StageEffect.exports
  let options: DumpOptions

  init(_ options: DumpOptions) { self.options = options }
  var exportPath: String? { options.path.path }

  func check(_ promise: inout ModelPromise) -> [StageProblem] { [] }

  static func text(_ model: LanguageModel) -> String {
    model.matrices.map { linear in
      "\(linear.name) \(linear.weight.dense.elements(as: Float.self))"
    }.joined(separator: "\n")
  }

  private func file(_ export: URL) -> URL {
    options.isFolder ? export.appending(path: "part/weights.txt") : export
  }

  func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let file = file(context.exportURL)
    let folder = file.deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FaultPlan.pass("before writing \(options.path.path)")
    try Data(Self.text(model).utf8).write(to: file)
    try FaultPlan.pass("after writing \(options.path.path)")
    return StageReport(warnings: ["text is large"])
  }

  func verify(_ export: URL, against model: LanguageModel, _ context: StageContext) throws {
    guard try String(contentsOf: file(export), encoding: .utf8) == Self.text(model) else {
      throw RunError(.verification, "weights differ", at: export.path, remedy: "write them again")
    }
  }
}
