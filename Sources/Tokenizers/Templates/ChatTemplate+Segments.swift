public import Foundation

extension ChatTemplate {
  /// Which answers of a conversation a model is to learn.
  public enum Answers: Sendable {
    /// Those of every message of the role `assistant`.
    case all
    /// The one of the last message, which is of the role `assistant`.
    case last
  }

  /// Renders a conversation, without a generation prompt, cut into prompts and answers.
  ///
  /// If the template has `generation` blocks, what they write are the answers. Otherwise the answer
  /// of message `i` is what rendering the messages up to and including `i` gives beyond rendering
  /// those before `i` with the generation prompt. So an answer starts right behind the prompt that
  /// the model is given when it is used, and includes what ends the turn. That needs a template
  /// under which later messages only add text. A final `eos_token` that some templates put after
  /// the last message, such as Phi 3's, is understood and counts as part of the last answer.
  ///
  /// Templates that write earlier answers in another form than the last one, as Qwen 3's does with
  /// the reasoning, break the rule: that is an error with ``Answers/all``. With ``Answers/last``
  /// every answer can still be learned in the form in which the model is to give it: by rendering
  /// the conversation once for each answer, cut off behind it.
  ///
  /// - Parameters:
  ///   - messages: The conversation.
  ///   - variables: Further values, such as `bos_token`, `eos_token` and `tools`.
  ///   - answers: Which answers count, for templates without `generation` blocks.
  ///   - date: What `strftime_now` takes for now; nil for the current time.
  /// - Returns: Segments that are not empty; joined they are what ``render(messages:addGenerationPrompt:variables:date:)``
  ///   gives without generation prompt.
  /// - Throws: ``TokenizerError`` as rendering, and with `answerNotFound` if the template breaks
  ///   the rule.
  /// - Complexity: Two renderings for each answer.
  public func renderedSegments(
    messages: [ChatMessage],
    variables: [String: TemplateValue] = [:],
    answers: Answers = .all,
    date: Date? = nil
  ) throws(TokenizerError) -> [(text: String, isAnswer: Bool)] {
    let date = date ?? Date()
    let full = try run(messages, false, variables, date)
    var ranges = full.generations
    if !hasGenerationBlocks {
      for index in messages.indices where messages[index].role == "assistant" {
        if case .last = answers, index != messages.count - 1 { continue }
        let range = try answer(index, messages, full.output, variables, date)
        guard range.lowerBound >= ranges.last?.upperBound ?? 0 else { throw notFound(index) }
        ranges.append(range)
      }
    }
    var segments: [(text: String, isAnswer: Bool)] = []
    var position = 0
    func append(to end: Int, isAnswer: Bool) {
      guard end > position else { return }
      let text = String(decoding: full.output[position..<end], as: UTF8.self)
      if let last = segments.last, last.isAnswer == isAnswer {
        segments[segments.count - 1].text += text
      } else {
        segments.append((text, isAnswer))
      }
      position = end
    }
    for range in ranges {
      append(to: range.lowerBound, isAnswer: false)
      append(to: range.upperBound, isAnswer: true)
    }
    append(to: full.output.count, isAnswer: false)
    return segments
  }

  /// The bytes of the full rendering that are the answer of one message.
  private func answer(
    _ index: Int,
    _ messages: [ChatMessage],
    _ full: [UInt8],
    _ variables: [String: TemplateValue],
    _ date: Date
  ) throws(TokenizerError) -> Range<Int> {
    let prompt = try run(Array(messages[..<index]), true, variables, date).output
    guard full.starts(with: prompt) else { throw notFound(index) }
    if index == messages.count - 1 { return prompt.count..<full.count }
    var answered = try run(Array(messages[...index]), false, variables, date).output
    if !full.starts(with: answered), case .string(let end)? = variables["eos_token"],
      !end.isEmpty, answered.reversed().starts(with: end.utf8.reversed())
    {
      answered.removeLast(end.utf8.count)
    }
    guard full.starts(with: answered), answered.count >= prompt.count else {
      throw notFound(index)
    }
    return prompt.count..<answered.count
  }

  private func notFound(_ index: Int) -> TokenizerError {
    TokenizerError(
      .answerNotFound,
      at: .init(source: name, path: "messages[\(index)]"),
      "the template writes the messages before or up to this answer in another form once others"
        + " follow, so the answer cannot be told from its prompt",
      remedy: "learn only the last answer of each conversation, cutting longer ones off behind"
        + " each answer, or add {% generation %} blocks to the template"
    )
  }
}
