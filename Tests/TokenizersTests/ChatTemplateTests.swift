import Foundation
import Testing

@testable import Tokenizers

@Suite("Chat templates give what transformers gives")
struct ChatTemplateTests {
  private func expect(
    _ expected: TemplateValue,
    _ what: String,
    render: () throws(TokenizerError) -> String
  ) {
    do throws(TokenizerError) {
      let text = try render()
      #expect(
        expected.text.map { Array($0.utf8) } == Array(text.utf8),
        "\(what): \(text.debugDescription) instead of \(expected)"
      )
    } catch {
      let refused = expected["error"].text == "TemplateError"
      #expect((error.code == .raisedByTemplate) == refused, "\(what): \(error)")
      #expect(expected.text == nil, "\(what): \(error)")
      if refused, let message = expected["message"].text {
        #expect(error.problem.hasSuffix(message), "\(what)")
      }
    }
  }

  @Test("published templates, with and without generation prompt", arguments: TemplateGolden.names)
  func rendering(name: String) throws {
    let golden = try TemplateGolden.value("rendered.json")
    let template = try TemplateGolden.template(name)
    var count = 0
    for entry in golden["cases"].elements where entry["template"].text == name {
      let title = try #require(entry["conversation"].text)
      let (messages, variables) = try TemplateGolden.conversation(title, for: name, in: golden)
      expect(entry["plain"], title) { () throws(TokenizerError) in
        try template.render(messages: messages, addGenerationPrompt: false, variables: variables)
      }
      var prompt = entry["prompt"]
      if let added = prompt["adds"].text, let plain = entry["plain"].text {
        prompt = .string(plain + added)
      }
      expect(prompt, title) { () throws(TokenizerError) in
        try template.render(messages: messages, addGenerationPrompt: true, variables: variables)
      }
      count += 1
    }
    #expect(count == 30)
  }

  @Test("single constructs, whitespace and errors")
  func snippets() throws {
    let golden = try TemplateGolden.value("snippets.json")
    guard case .dictionary(let values) = golden["values"] else {
      Issue.record("no values")
      return
    }
    let start = Date()
    for snippet in golden["snippets"].elements {
      let source = try #require(snippet.elements[0].text)
      do throws(TokenizerError) {
        var parser = try TemplateParser(source, name: "snippet")
        let renderer = TemplateRenderer(name: "snippet", date: start)
        try renderer.render(try parser.parse(), values)
        let text = String(decoding: renderer.output, as: UTF8.self)
        #expect(
          snippet.elements[1].text.map { Array($0.utf8) } == Array(text.utf8),
          "\(source): \(text.debugDescription) instead of \(snippet.elements[1])"
        )
      } catch {
        #expect(snippet.elements[1] == .none, "\(source): \(error)")
        #expect(error.location.path.contains(":"), "\(source): \(error)")
      }
    }
  }

  @Test("a template knows the date it is given")
  func date() throws {
    let parts = DateComponents(year: 2024, month: 7, day: 6, hour: 15, minute: 4, second: 5)
    let date = try #require(Calendar(identifier: .gregorian).date(from: parts))
    let template = try ChatTemplate("{{ strftime_now('%d %b %Y %H:%M:%S %%') }}", name: "date")
    let text = try template.render(messages: [], addGenerationPrompt: false, date: date)
    #expect(text == "06 Jul 2024 15:04:05 %")
  }

  @Test("the answers of generation blocks are those transformers finds")
  func generations() throws {
    let golden = try TemplateGolden.value("rendered.json")
    let template = try TemplateGolden.template("generation")
    #expect(template.hasGenerationBlocks)
    for title in ["turns", "unicode", "empty", "spaces", "answer first"] {
      let (messages, variables) = try TemplateGolden.conversation(
        title,
        for: "generation",
        in: golden
      )
      let segments = try template.renderedSegments(messages: messages, variables: variables)
      let answers = segments.filter(\.isAnswer).map { Array($0.text.utf8) }
      let expected = golden["generations"][title].elements.compactMap(\.text)
      #expect(answers == expected.map { Array($0.utf8) })
    }
  }

  @Test(
    "segments join to the text, and the answers are the assistant's",
    arguments: [
      ("smollm2", ["Hello!<|im_end|>\n", "It is 4.<|im_end|>\n"]),
      ("llama3.1", ["Hello!<|eot_id|>", "It is 4.<|eot_id|>"]),
      ("qwen2.5", ["Hello!<|im_end|>\n", "It is 4.<|im_end|>\n"]),
      ("phi3.5", ["Hello!<|end|>\n", "It is 4.<|end|>\n<|endoftext|>"]),
      ("generation", ["Hello!<|im_end|>", "It is 4.<|im_end|>"]),
    ]
  )
  func segments(name: String, answers: [String]) throws {
    let golden = try TemplateGolden.value("rendered.json")
    let template = try TemplateGolden.template(name)
    let (messages, variables) = try TemplateGolden.conversation("turns", for: name, in: golden)
    let segments = try template.renderedSegments(messages: messages, variables: variables)
    #expect(segments.filter(\.isAnswer).map(\.text) == answers)
    let full = try template.render(
      messages: messages,
      addGenerationPrompt: false,
      variables: variables
    )
    #expect(segments.map(\.text).joined() == full)
    // The model is given exactly this prompt for its first answer.
    let prompt = try template.render(
      messages: Array(messages[..<2]),
      addGenerationPrompt: true,
      variables: variables
    )
    #expect(segments[0].text == prompt)
  }

  @Test("Gemma and Mistral alternate prompts and answers", arguments: ["gemma2", "mistral-nemo"])
  func alternating(name: String) throws {
    let golden = try TemplateGolden.value("rendered.json")
    let template = try TemplateGolden.template(name)
    let (all, variables) = try TemplateGolden.conversation("turns", for: name, in: golden)
    let segments = try template.renderedSegments(
      messages: Array(all.dropFirst()),
      variables: variables
    )
    #expect(segments.map(\.isAnswer) == [false, true, false, true])
    let end = name == "gemma2" ? "<end_of_turn>\n" : "</s>"
    #expect(segments.filter(\.isAnswer).map(\.text) == ["Hello!\(end)", "It is 4.\(end)"])
  }

  @Test("a template that rewrites earlier turns is an error, unless only the last answer counts")
  func rewriting() throws {
    let golden = try TemplateGolden.value("rendered.json")
    let template = try TemplateGolden.template("qwen3")
    let (messages, variables) = try TemplateGolden.conversation(
      "thinking",
      for: "qwen3",
      in: golden
    )
    let error = #expect(throws: TokenizerError.self) {
      try template.renderedSegments(messages: messages, variables: variables)
    }
    #expect(error?.code == .answerNotFound)
    #expect(error?.location.path == "messages[1]")
    let segments = try template.renderedSegments(
      messages: messages,
      variables: variables,
      answers: .last
    )
    #expect(segments.map(\.isAnswer) == [false, true])
    #expect(segments[1].text == "<think>\nx\n</think>\n\nd<|im_end|>\n")
    // A system message that moves to the last question leaves the prompt of Mistral's template.
    let mistral = try TemplateGolden.conversation("turns", for: "mistral-nemo", in: golden)
    #expect(throws: TokenizerError.self) {
      try TemplateGolden.template("mistral-nemo").renderedSegments(
        messages: mistral.messages,
        variables: mistral.variables,
        answers: .last
      )
    }
  }

  @Test("conversations without an answer are one prompt")
  func withoutAnswer() throws {
    let template = try TemplateGolden.template("smollm2")
    let messages = [ChatMessage(role: "user", content: "a")]
    let segments = try template.renderedSegments(messages: messages)
    #expect(segments.map(\.isAnswer) == [false])
    #expect(try template.renderedSegments(messages: []).isEmpty)
  }
}
