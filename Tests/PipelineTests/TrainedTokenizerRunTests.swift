import Foundation
import Models
import Pipeline
import TestSupport
import Testing
import Tokenizers

@Suite("New models with a trained tokenizer")
struct TrainedTokenizerRunTests {
  private static func text(vocabulary: Int, on text: String) -> String {
    """
    model:
      new:
        hidden_size: 64
        layers: 1
        heads: 4
        feed_forward_size: 96
        vocabulary_size: \(vocabulary)
        context_length: 64
        tokenizer: { train_on: "\(text)", bytes: 20kB }
    stages:
      - test.dump: { path: weights.txt }
    """
  }

  @Test("have the tokens of a chat, and the same bytes again")
  func trained() throws {
    let first = try TemporaryFolder()
    let second = try TemporaryFolder()
    let text = Self.text(vocabulary: 300, on: "builtin:calibration")
    // The plan trains nothing; that the form of the tokenizer can be exported is known all the same.
    let plan = try recipe(text).plan(evaluator: FakeEvaluator())
    #expect(plan.model.configuration.endOfText == [0, 2])
    let report = try RunnerTests.run(text, in: first.url)
    #expect(report.entries[0].warnings.isEmpty)
    try RunnerTests.run(text, in: second.url)
    #expect(try RunnerTests.results(first.url) == RunnerTests.results(second.url))
    let model = try ModelLoader.load(first.url.appending(path: "00-model/checkpoint"))
    let tokenizer = try model.tokenizer()
    #expect(tokenizer.vocabularySize == 300)
    #expect(
      try tokenizer.encode("<|im_start|>a<|im_end|><|endoftext|>").filter { $0 < 3 } == [1, 2, 0]
    )
    #expect(try tokenizer.decode(tokenizer.encode("Ünïcode 🦙")) == "Ünïcode 🦙")
    #expect(model.configuration.beginningOfText == 0)
    #expect(try model.companions.chatTemplate()?.contains("<|im_start|>") == true)
  }

  @Test("whose text is too short for the vocabulary warn of it; a changed text makes them anew")
  func short() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "text.txt")
    try Data("abab abab".utf8).write(to: file)
    let run = folder.url.appending(path: "run")
    let text = Self.text(vocabulary: 400, on: file.path)
    let report = try RunnerTests.run(text, in: run)
    #expect(report.entries[0].warnings.contains { $0.contains("of the vocabulary stay unused") })
    try Data("cdcd cdcd".utf8).write(to: file)
    let log = EventLog()
    try RunnerTests.run(text, in: run, log: log)
    #expect(log.begun.first == "00-model")
  }
}
