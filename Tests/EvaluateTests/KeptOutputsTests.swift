import Datasets
import Foundation
import Models
import Pipeline
import Tensor
import Testing
import Tokenizers

@testable import Evaluate

@Suite("Kept outputs of a reference")
struct KeptOutputsTests {
  let reference: LanguageModel
  let changed: LanguageModel
  let text: EvaluationText
  let folder = FileManager.default.temporaryDirectory.appending(path: "kept-\(UUID())")

  init() throws {
    let (model, other) = (try GoldenModelCopy(), try GoldenModelCopy())
    try other.replace("model.layers.0.mlp.up_proj") { weights in
      for index in weights.indices { weights[index] *= index % 3 == 0 ? 0.7 : 1.1 }
    }
    (reference, changed) = (try model.load(), try other.load())
    text = try Self.text(reference)
  }

  private static func text(
    _ model: LanguageModel,
    kind: EvaluationProtocol = .windows,
    seed: UInt64 = 1,
    count: Int = 200,
    context: Int = 32
  ) throws -> EvaluationText {
    try EvaluationText(
      tokens: model.tokenizer().encode(GoldenModelCopy.text(count, seed: seed)),
      name: "text",
      kind: kind,
      context: context
    )
  }

  private func measure(_ kept: KeptOutputs, _ text: EvaluationText? = nil) throws
    -> (result: TextEvaluation.Result, agreement: KeptAgreement)
  {
    let result = try TextEvaluation(text ?? self.text).measure(changed, against: kept)
    return (result, try #require(result.keptAgreement))
  }

  @Test("all tokens give the divergence itself, to what 16 bits of a logarithm are worth")
  func exact() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let plain = try TextEvaluation(text).measure(
      changed,
      against: ReferenceOutputs(reference, on: text)
    )
    let expected = try #require(plain.agreement)
    let kept = try KeptOutputs(of: reference, in: folder, topK: 1024, on: text)
    #expect(kept.topK == reference.head.rows)
    let (result, agreement) = try measure(kept)
    func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 2e-4 * b + 1e-6 }
    #expect(expected.distance.meanDivergence > 1e-3)
    #expect(near(agreement.distance.meanDivergence, expected.distance.meanDivergence))
    #expect(near(agreement.distance.largestDivergence, expected.distance.largestDivergence))
    #expect(
      agreement.distance.sameTop == expected.distance.sameTop
        && agreement.keptProbability > 0.999_999
    )
    #expect(result.perplexity == plain.perplexity)
    #expect(result.metrics["kl_mean"] == nil && result.metrics["loss_increase"] == nil)
  }

  @Test("fewer tokens give a lower bound, that of the distributions over them and the rest")
  func bound() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var last = 0.0
    for topK in [1, 4, 16, 64] {
      let kept = try KeptOutputs(of: reference, in: folder, topK: topK, on: text)
      let agreement = try measure(kept).agreement
      var (sum, share, count) = (0.0, 0.0, 0.0)
      for window in 0..<text.windows.count {
        for (p, q) in zip(rows(reference, window), rows(changed, window)) {
          let order = p.indices.sorted { (p[$1], $0) < (p[$0], $1) }.prefix(topK)
          let (own, other) = (order.reduce(0) { $0 + p[$1] }, order.reduce(0) { $0 + q[$1] })
          sum += order.reduce(0) { $0 + p[$1] * log(p[$1] / q[$1]) }
          if topK < p.count { sum += (1 - own) * log((1 - own) / (1 - other)) }
          share += own
          count += 1
        }
      }
      #expect(
        abs(agreement.distance.meanDivergence - sum / count) <= 2e-4 * sum / count + 2e-6,
        "\(topK)"
      )
      #expect(abs(agreement.keptProbability - share / count) <= 1e-4)
      #expect(agreement.distance.meanDivergence > last)
      last = agreement.distance.meanDivergence
    }
  }

  /// Probabilities at the counted positions.
  private func rows(_ model: LanguageModel, _ window: Int) -> [[Double]] {
    let size = model.configuration.vocabularySize
    let logits = model.logits(model.hidden([text.input(window)])).elements(as: Float.self)
    return text.counted.map { position in
      let row = logits[position * size..<(position + 1) * size].map(Double.init)
      let top = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - top) }
      return row.map { exp($0 - top) / sum }
    }
  }

  @Test("serve models and protocols without the reference, which runs over a window once")
  func again() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let first = try { () throws -> KeptAgreement in
      let kept = try KeptOutputs(of: reference, in: folder, topK: 8, on: text)
      let agreement = try measure(kept).agreement
      #expect(kept.windows.found == 0 && kept.windows.computed == text.windows.count)
      return agreement
    }()
    let kept = try KeptOutputs(keptIn: folder, for: text, measuring: changed)
    #expect(try measure(kept).agreement == first && kept.topK == 8)
    #expect(kept.windows.found == text.windows.count && kept.windows.computed == 0)
    let half = try Self.text(changed, kind: .llamaCPP)
    let halves = try KeptOutputs(keptIn: folder, for: half, measuring: changed)
    #expect(try measure(halves, half).agreement.distance.meanDivergence > 0)
    // The model itself is no further away than 16 bits.
    let own = try TextEvaluation(text).measure(reference, against: kept)
    let agreement = try #require(own.keptAgreement)
    #expect(agreement.distance.meanDivergence < 1e-6 && agreement.distance.sameTop == 1)
  }

  // MARK: - Refusals

  private func refusal(_ text: EvaluationText? = nil, _ code: EvaluateError.Code) throws -> String {
    let found = #expect(throws: EvaluateError.self) {
      let kept = try KeptOutputs(keptIn: folder, for: text ?? self.text, measuring: changed)
      _ = try measure(kept, text)
    }
    let error = try #require(found)
    #expect(error.code == code && error.location.hasPrefix(folder.path))
    return error.problem
  }

  private func keep(topK: Int = 8) throws {
    _ = try measure(KeptOutputs(of: reference, in: folder, topK: topK, on: text))
  }

  @Test("of other texts, windows and vocabularies are refused, and so are none")
  func others() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try refusal(nil, .referenceUnusable).contains("no kept outputs"))
    try keep()
    #expect(try refusal(Self.text(changed, seed: 2), .notComparable).contains("another text"))
    #expect(try refusal(Self.text(changed, context: 30), .notComparable).contains("30 tokens"))
    let longer = try Self.text(changed, count: 300)
    let missing = try refusal(longer, .notComparable)
    #expect(missing.contains("\(text.windows.count) of the \(longer.windows.count) windows"))
    try FileManager.default.removeItem(at: folder)
    for change: (inout TeacherCache.Description) -> Void in [
      { $0.vocabulary = 60 }, { $0.temperature = 2 }, { $0.tokens = "pairs" },
    ] {
      var description = TeacherCache.Description(
        teacher: "t",
        vocabulary: reference.head.rows,
        topK: 8,
        temperature: 1
      )
      change(&description)
      _ = try TeacherCache(folder, description)
    }
    let all = try refusal(nil, .notComparable)
    #expect(all.contains("over 60 tokens") && all.contains("temperature of 2"))
    #expect(all.contains("ids of a student and a teacher that differ"))
  }

  @Test("of several ways of keeping are named, and damaged ones with their place")
  func damaged() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try keep()
    let one = try #require(TeacherCache.folders(in: folder).first)
    try keep(topK: 4)
    let several = try refusal(nil, .invalidOptions)
    #expect(several.contains("with 8") && several.contains("with 4"))
    #expect(several.contains(one.lastPathComponent))
    _ = try measure(KeptOutputs(keptIn: one, for: text, measuring: changed))
    // What is not needed may be damaged, or just be written to.
    for other in TeacherCache.folders(in: folder) where other != one {
      try Data("{}".utf8).write(to: other.appending(path: "teacher.json"))
    }
    let description = TeacherCache.Description(
      teacher: "t",
      vocabulary: reference.head.rows,
      topK: 3,
      temperature: 1
    )
    let held = try TeacherCache(folder, description)
    #expect(throws: EvaluateError.self) { try TeacherCache(folder, description) }
    _ = try withExtendedLifetime(held) {
      try measure(KeptOutputs(keptIn: folder, for: text, measuring: changed))
    }
    for other in TeacherCache.folders(in: folder) where other != one {
      try FileManager.default.removeItem(at: other)
    }
    let file = one.appending(path: "rows.bin")
    var bytes = try Data(contentsOf: file)
    bytes[50] ^= 0x10
    try bytes.write(to: file)
    #expect(try refusal(nil, .referenceUnusable).contains("row at byte 0"))
    // A row that was cut off is one less.
    try bytes.dropLast(3).write(to: file)
    #expect(try refusal(nil, .notComparable).contains("\(text.windows.count - 1) of the"))
    // With the reference both are made again.
    try keep()
    _ = try measure(KeptOutputs(keptIn: folder, for: text, measuring: changed))
    try Data("{}".utf8).write(to: one.appending(path: "teacher.json"))
    #expect(try refusal(nil, .referenceUnusable).contains("missing or damaged"))
  }
}
