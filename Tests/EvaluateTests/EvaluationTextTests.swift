import Datasets
import Models
import Pipeline
import Testing
import Tokenizers

@testable import Evaluate

@Suite("Evaluation text")
struct EvaluationTextTests {
  @Test("in `windows` every prediction of a window counts and nothing is replaced")
  func windows() throws {
    let text = try EvaluationText(
      tokens: Array(10..<21),
      name: "x",
      kind: .windows,
      context: 4,
      beginning: 1
    )
    #expect(text.windows.count == 2)
    #expect(text.counted == 0..<3)
    #expect(text.input(1) == [14, 15, 16, 17])
    #expect(text.targets(1) == [15, 16, 17])
    #expect(text.countedTotal == 6)
  }

  @Test("in `llama.cpp` the second half counts and a window begins with the beginning of text")
  func llamaCPP() throws {
    let text = try EvaluationText(
      tokens: [1] + Array(10..<26),
      name: "x",
      kind: .llamaCPP,
      context: 8,
      beginning: 1
    )
    #expect(text.windows.count == 2)
    #expect(text.counted == 4..<7)
    #expect(text.input(0) == [1, 10, 11, 12, 13, 14, 15, 16])
    #expect(text.targets(0) == [14, 15, 16])
    #expect(text.input(1) == [1, 18, 19, 20, 21, 22, 23, 24])
    #expect(text.targets(1) == [22, 23, 24])
    let plain = try EvaluationText(
      tokens: Array(10..<26),
      name: "x",
      kind: .llamaCPP,
      context: 8
    )
    #expect(plain.input(1) == Array(18..<26))
  }

  @Test("an odd context counts what llama.cpp counts")
  func oddContext() throws {
    let text = try EvaluationText(
      tokens: Array(0..<7),
      name: "x",
      kind: .llamaCPP,
      context: 7
    )
    #expect(text.counted == 3..<6)
  }

  @Test("contexts without a counted prediction and short texts are errors")
  func errors() {
    #expect(throws: EvaluateError.self) {
      try EvaluationText(tokens: Array(0..<9), name: "x", kind: .windows, context: 1)
    }
    #expect(throws: EvaluateError.self) {
      try EvaluationText(tokens: Array(0..<9), name: "x", kind: .llamaCPP, context: 2)
    }
    #expect(throws: DatasetError.self) {
      try EvaluationText(tokens: Array(0..<9), name: "x", kind: .windows, context: 10)
    }
  }

  @Test("the beginning of a text is what the tokenizer puts before it", arguments: [true, false])
  func beginning(adds: Bool) throws {
    let model = try GoldenModelCopy(addsBeginning: adds).load()
    #expect(try model.tokenizer().addedBeginning() == (adds ? 1 : nil))
    let text = try EvaluationText(
      .builtinEvaluation,
      tokenizer: model.tokenizer(),
      kind: .llamaCPP,
      context: 16,
      limit: 64
    )
    #expect(text.beginning == (adds ? 1 : nil))
    #expect((text.windows[0][0] == 1) == adds)
    #expect((text.input(3)[0] == 1) == adds)
    let windows = try EvaluationText(
      .builtinEvaluation,
      tokenizer: model.tokenizer(),
      kind: .windows,
      context: 16,
      limit: 64
    )
    #expect(windows.beginning == nil)
    #expect(windows.windows[0][0] != 1)
  }
}
