import Datasets
import Foundation
import Models
import Pipeline
import Tensor
import Testing
import Tokenizers

@testable import Evaluate

@Suite("Measuring a text")
struct TextEvaluationTests {
  @Test(
    "perplexity is that of the full softmax in double",
    arguments: [EvaluationProtocol.windows, .llamaCPP]
  )
  func perplexity(kind: EvaluationProtocol) throws {
    let model = try GoldenModelCopy().load()
    let text = try makeText(model, kind: kind)
    let result = try TextEvaluation(text).measure(model)
    var losses: [Double] = []
    for window in 0..<text.windows.count {
      let rows = logRows(model, text, window)
      losses += zip(rows, text.targets(window)).map { -$0[Int($1)] }
    }
    let mean = losses.reduce(0, +) / Double(losses.count)
    #expect(abs(result.perplexity.meanLoss - mean) <= 1e-6)
    #expect(result.perplexity.tokenCount == losses.count)
    #expect(result.perplexity.windowCount == text.windows.count)
    #expect(abs(result.perplexity.value - exp(mean)) <= 1e-4)
    #expect(result.agreement == nil)
  }

  @Test("agreement is that of the full distributions in double")
  func agreement() throws {
    let (model, other) = (try GoldenModelCopy(), try GoldenModelCopy())
    try other.replace("model.layers.0.mlp.up_proj") { weights in
      for index in weights.indices { weights[index] *= index % 3 == 0 ? 0.7 : 1.1 }
    }
    let (reference, changed) = (try model.load(), try other.load())
    let text = try makeText(reference, kind: .windows)
    let result = try TextEvaluation(text).measure(
      changed,
      against: ReferenceOutputs(reference, on: text)
    )
    let agreement = try #require(result.agreement)
    var (divergences, same): ([Double], Double) = ([], 0)
    for window in 0..<text.windows.count {
      for (p, q) in zip(logRows(reference, text, window), logRows(changed, text, window)) {
        divergences.append(zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) })
        same += largest(p) == largest(q) ? 1 : 0
      }
    }
    let mean = divergences.reduce(0, +) / Double(divergences.count)
    #expect(mean > 1e-3)
    #expect(abs(agreement.distance.meanDivergence - mean) <= 1e-5 * max(1, mean))
    #expect(abs(agreement.distance.largestDivergence - (divergences.max() ?? 0)) <= 1e-4)
    #expect(agreement.distance.sameTop == same / Double(divergences.count))
    let alone = try TextEvaluation(text).measure(reference)
    #expect(
      abs(agreement.lossIncrease - result.perplexity.meanLoss + alone.perplexity.meanLoss) <= 1e-9
    )
  }

  @Test("a model compared with itself agrees exactly")
  func itself() throws {
    let tiny = try GoldenModelCopy("qwen3")
    let text = try makeText(try tiny.load(), kind: .windows)
    let result = try TextEvaluation(text).measure(
      try tiny.load(),
      against: ReferenceOutputs(try tiny.load(), on: text)
    )
    let agreement = try #require(result.agreement)
    #expect(agreement.distance.meanDivergence == 0 && agreement.distance.largestDivergence == 0)
    #expect(agreement.distance.sameTop == 1 && agreement.lossIncrease == 0)
  }

  @Test(
    "outputs kept of a baseline give the very numbers of the baseline beside it",
    arguments: [EvaluationProtocol.windows, .llamaCPP]
  )
  func keptOutputs(kind: EvaluationProtocol) throws {
    let (baseline, other) = (
      try GoldenModelCopy(addsBeginning: true), try GoldenModelCopy(addsBeginning: true)
    )
    try other.replace("model.layers.1.self_attn.v_proj") { $0[7] += 3 }
    let (reference, changed) = (try baseline.load(), try other.load())
    let text = try makeText(reference, kind: kind)
    let folder = baseline.url.appending(path: "reference")
    let measured = try TextEvaluation(text).measureReference(
      reference,
      keepingOutputsIn: folder
    )
    #expect(measured.perplexity == (try TextEvaluation(text).measure(reference).perplexity))
    let kept = try TextEvaluation(text).measure(
      changed,
      against: ReferenceOutputs(keptIn: folder, of: baseline.url, for: text)
    )
    let live = try TextEvaluation(text).measure(
      changed,
      against: ReferenceOutputs(reference, on: text)
    )
    #expect(kept.agreement == live.agreement)
    #expect(kept.perplexity == live.perplexity)
  }

  @Test("kept outputs of another text or protocol are refused")
  func otherText() throws {
    let tiny = try GoldenModelCopy()
    let model = try tiny.load()
    let folder = tiny.url.appending(path: "reference")
    let text = try makeText(model, kind: .windows)
    #expect(refusal(folder, text) == .referenceUnusable)
    _ = try TextEvaluation(text).measureReference(
      model,
      keepingOutputsIn: folder
    )
    #expect(refusal(folder, text) == nil)
    #expect(refusal(folder, try makeText(model, kind: .llamaCPP)) == .referenceUnusable)
    #expect(refusal(folder, try makeText(model, kind: .windows, seed: 2)) == .notComparable)
  }

  @Test(
    "numbers that are not finite are an error that names layer and window",
    arguments: [
      ("model.layers.1.mlp.up_proj", "the input of model.layers.1.mlp.down_proj"),
      ("model.layers.0.self_attn.o_proj", "the input of model.layers.0.mlp.gate_proj"),
    ]
  )
  func notFinite(layer: String, place: String) throws {
    let tiny = try GoldenModelCopy()
    try tiny.replace(layer) { $0[3] = .nan }
    let model = try tiny.load()
    let text = try makeText(model, kind: .windows)
    #expect {
      try TextEvaluation(text).measure(model)
    } throws: { error in
      let error = error as? EvaluateError
      return error?.code == .notFinite && "\(error?.problem ?? "")".hasPrefix(place)
        && "\(error?.problem ?? "")".contains("window 0")
    }
  }

  @Test("tokens beyond the vocabulary and other vocabularies are errors")
  func vocabularies() throws {
    let model = try GoldenModelCopy().load()
    let text = try EvaluationText(
      tokens: [1, 2, 3, 64, 5, 6],
      name: "x",
      kind: .windows,
      context: 3
    )
    #expect(throws: EvaluateError.self) { try TextEvaluation(text).measure(model) }
  }

  @Test("progress counts tokens to the end")
  func progress() throws {
    let model = try GoldenModelCopy().load()
    let text = try makeText(model, kind: .windows)
    var seen: [Int] = []
    _ = try TextEvaluation(text).measure(model) { done, _ in seen.append(done) }
    #expect(seen == (1...text.windows.count).map { $0 * 32 })
  }
}

extension TextEvaluationTests {
  private func makeText(
    _ model: LanguageModel,
    kind: EvaluationProtocol,
    seed: UInt64 = 1
  ) throws -> EvaluationText {
    let tokenizer = try model.tokenizer()
    let beginning = kind == .llamaCPP ? try tokenizer.addedBeginning() : nil
    return try EvaluationText(
      tokens: tokenizer.encode(GoldenModelCopy.text(200, seed: seed)),
      name: "text",
      kind: kind,
      context: 32,
      beginning: beginning
    )
  }

  /// The logarithms of the probabilities at the counted positions, one row per position.
  private func logRows(
    _ model: LanguageModel,
    _ text: EvaluationText,
    _ window: Int
  ) -> [[Double]] {
    let size = model.configuration.vocabularySize
    let logits = model.logits(model.hidden([text.input(window)])).elements(as: Float.self)
    return text.counted.map { position in
      let row = logits[position * size..<(position + 1) * size].map(Double.init)
      let top = row.max() ?? 0
      let sum = log(row.reduce(0) { $0 + exp($1 - top) }) + top
      return row.map { $0 - sum }
    }
  }

  private func largest(_ row: [Double]) -> Int {
    row.indices.max { (row[$0], -$0) < (row[$1], -$1) } ?? 0
  }

  private func refusal(_ folder: URL, _ text: EvaluationText) -> EvaluateError.Code? {
    do {
      _ = try ReferenceOutputs(keptIn: folder, of: folder.deletingLastPathComponent(), for: text)
      return nil
    } catch {
      return (error as? EvaluateError)?.code
    }
  }
}
