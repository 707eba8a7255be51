import ArgumentParser
import Checkpoints
import Datasets
import Evaluate
import Foundation
import Models
import Pipeline

/// `slm-compress evaluate`: perplexity, agreement, size and speed of a model.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measures a model on a text: perplexity, agreement with a reference, size, speed.",
    discussion: """
      MODEL is a Hugging Face folder, a GGUF file, or the name of a model in the hub's cache. \
      docs/numbers.md defines every number.

      Examples:
        slm-compress evaluate models/SmolLM2-135M
        slm-compress evaluate model.Q4_0.gguf --text wiki.test.raw --protocol llama.cpp
        slm-compress evaluate runs/int4/export --reference models/SmolLM2-135M --json
        slm-compress evaluate runs/int4/export --reference models/large --cache kept
        slm-compress evaluate runs/int3/export --cache kept

      Exit status: 0 measured, 2 bad model, text or option.
      """
  )

  @Argument(help: "The model to measure.")
  var model: String

  @Option(help: "The text: a UTF-8 file, builtin:evaluation or builtin:calibration.")
  var text = "builtin:evaluation"

  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp(
      "windows: every prediction of a window counts. llama.cpp: those of its second half.",
      valueName: "windows|llama.cpp"
    )
  )
  var kind = "windows"

  @Option(help: "Length of a window in tokens.")
  var context = 512

  @Option(help: "Most tokens of the text to use.")
  var tokens = 20_480

  @Flag(help: "Use the whole text.")
  var allTokens = false

  @Option(help: "A model with the same vocabulary whose outputs are compared with.")
  var reference: String?

  @Option(
    help: ArgumentHelp(
      "A folder with the most likely tokens of a reference, which are compared with: a lower bound "
        + "of the divergence. With --reference they are kept there; without, it is not needed.",
      valueName: "folder"
    )
  )
  var cache: String?

  @Option(
    help: "How many tokens of each position --reference and --cache keep, up to 1024 (default: 64)."
  )
  var topK: Int?

  @Flag(help: "Print the numbers as JSON.")
  var json = false

  func run() throws {
    let meter = ResourceMeter()
    try reportingInputErrors {
      let source = try TextSource(text)
      let loaded = try ModelLoader.load(named: model)
      let size = try ModelSize(
        of: CheckpointFolder(model).open(),
        parameterCount: loaded.parameterCount
      )
      let text = try EvaluationText(
        source,
        tokenizer: loaded.tokenizer(),
        kind: try evaluationProtocol,
        context: context,
        limit: allTokens ? nil : tokens
      )
      guard topK == nil || reference != nil && cache != nil else {
        throw argumentError(
          "nothing is kept that --top-k would count for",
          "give --reference and --cache as well, or leave it out"
        )
      }
      let topK = topK ?? 64
      guard (1...1024).contains(topK) else {
        throw argumentError("\(topK) tokens cannot be kept", "choose --top-k from 1 to 1024")
      }
      let other = try reference.map { try ModelLoader.load(named: $0) }
      let kept = try cache.map { path in
        let folder = URL(filePath: path)
        return try other.map { try KeptOutputs(of: $0, in: folder, topK: topK, on: text) }
          ?? KeptOutputs(keptIn: folder, for: text, measuring: loaded)
      }
      var status = StatusLine()
      let total = text.windows.tokens.count
      let evaluation = TextEvaluation(text)
      func show(_ done: Int, _ rate: ProgressRate) {
        status.show("\(done) of \(total) tokens, \(rate)")
      }
      let result: TextEvaluation.Result
      if let kept {
        result = try evaluation.measure(loaded, against: kept, progress: show)
      } else {
        let outputs = try other.map { try ReferenceOutputs($0, on: text) }
        result = try evaluation.measure(loaded, against: outputs, progress: show)
      }
      status.clear()
      let report = EvaluateReport(
        model: model,
        name: loaded.companions.name,
        reference: reference,
        cache: cache,
        text: text,
        size: size,
        result: result,
        peakByteCount: meter.peakByteCount
      )
      for warning in text.warnings(for: loaded) + (kept?.notes ?? []) {
        printToStandardError("warning: \(warning)")
      }
      if json { try printJSON(report) } else { report.printTable(result, size) }
    }
  }

  private var evaluationProtocol: EvaluationProtocol {
    get throws {
      guard let value = EvaluationProtocol(rawValue: kind) else {
        throw argumentError(
          "there is no protocol “\(kind)”",
          "choose --protocol windows or --protocol llama.cpp"
        )
      }
      return value
    }
  }
}

/// What `evaluate` prints.
struct EvaluateReport: Encodable {
  var model: String
  var name: String
  var reference: String?
  var cache: String?
  var text: String
  var `protocol`: String
  var context: Int
  var windows: Int
  var metrics: [String: Double]

  init(
    model: String,
    name: String,
    reference: String?,
    cache: String?,
    text: EvaluationText,
    size: ModelSize,
    result: TextEvaluation.Result,
    peakByteCount: Int?
  ) {
    self.model = model
    self.name = name
    self.reference = reference
    self.cache = cache
    self.text = text.name
    `protocol` = text.kind.rawValue
    context = text.windows.length
    windows = text.windows.count
    metrics = result.metrics
    metrics["size_bytes"] = Double(size.byteCount)
    metrics["bits_per_weight"] = size.bitsPerWeight
    metrics["parameters"] = Double(size.parameterCount)
    metrics["peak_bytes"] = peakByteCount.map(Double.init)
  }

  func printTable(_ result: TextEvaluation.Result, _ size: ModelSize) {
    let perplexity = result.perplexity
    var table = TextTable()
    table.add("model", name)
    table.add(
      "size",
      "\(ByteSize(size.byteCount)), \(Wording.number(size.bitsPerWeight)) bits per weight, "
        + "\(size.parameterCount) parameters"
    )
    table.add(
      "text",
      "\(text): \(Wording.count(windows, "window", "windows")) of \(context) tokens, "
        + "\(perplexity.tokenCount) predictions (\(`protocol`))"
    )
    table.add("perplexity", measured(perplexity.value, perplexity.standardError, digits: 4))
    table.add(
      "loss",
      measured(perplexity.meanLoss, perplexity.meanLossStandardError, digits: 6) + " nats"
    )
    if let agreement = result.agreement { addAgreement(agreement, to: &table) }
    if let agreement = result.keptAgreement { addAgreement(agreement, to: &table) }
    table.add("speed", "\(Wording.number(result.tokensPerSecond)) tokens/s")
    if let peak = metrics["peak_bytes"] { table.add("peak memory", "\(ByteSize(Int(peak)))") }
    for line in table.lines { print(line) }
  }

  private func addAgreement(_ agreement: Agreement, to table: inout TextTable) {
    table.add("reference", reference ?? "")
    add(agreement.distance, to: &table)
    table.add(
      "loss increase",
      measured(agreement.lossIncrease, agreement.lossIncreaseStandardError, digits: 6) + " nats"
    )
  }

  private func addAgreement(_ agreement: KeptAgreement, to table: inout TextTable) {
    table.add("reference", [reference, cache].compactMap(\.self).joined(separator: ", kept in "))
    add(agreement.distance, bound: "at least ", to: &table)
    table.add(
      "kept of it",
      "\(agreement.topK) tokens of each position, "
        + "\(fixed(100 * agreement.keptProbability, 2)) % of its probability"
    )
  }

  private func add(_ distance: PredictionDistance, bound: String = "", to table: inout TextTable) {
    table.add(
      "KL divergence",
      bound + measured(distance.meanDivergence, distance.meanDivergenceStandardError, digits: 6)
        + " nats; 99 %: \(fixed(distance.divergence99, 6)), "
        + "largest: \(fixed(distance.largestDivergence, 4))"
    )
    table.add(
      "same top token",
      measured(
        100 * distance.sameTop,
        distance.sameTopStandardError.map { 100 * $0 },
        digits: 3
      ) + " %"
    )
  }

  private func measured(_ value: Double, _ error: Double?, digits: Int) -> String {
    fixed(value, digits) + (error.map { " ± \(fixed($0, digits))" } ?? "")
  }

  private func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }
}
