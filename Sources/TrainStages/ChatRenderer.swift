internal import Crypto
internal import Datasets
internal import Foundation
internal import Models
internal import Tokenizers

/// Writes conversations out by a model's chat template, and finds the tokens of the answers.
struct ChatRenderer: Sendable {
  private let template: ChatTemplate
  private let variables: [String: TemplateValue]
  /// Equal for equal templates.
  let identity: String

  /// What templates that print the date take for today, so that the same data gives the same
  /// tokens on every day: 26 July 2024, the date in Llama 3.1's own template.
  ///
  /// In the middle of the day, so that it is the same one in almost every time zone.
  private static let date = Date(timeIntervalSince1970: 1_721_989_800)
  private let answers: ChatTemplate.Answers

  init(_ source: String, _ companions: ModelCompanions, _ answers: AnswerChoice) throws {
    self.answers = answers == .last ? .last : .all
    template = try ChatTemplate(source, name: "chat template of \(companions.name)")
    var variables: [String: TemplateValue] = [:]
    for (name, text) in try companions.specialTokens() { variables[name] = .string(text) }
    self.variables = variables
    let digest = SHA256.hash(data: Data(source.utf8))
    identity =
      digest.prefix(8).map { String($0, radix: 16) }.joined(separator: "-") + answers.rawValue
  }

  /// The parts of a conversation as the model is to see it, and whether each is an answer.
  func segments(_ conversation: Conversation) throws -> ConversationEncoder.Segments {
    try template.renderedSegments(
      messages: conversation.messages.map { ChatMessage(role: $0.role, content: $0.content) },
      variables: variables,
      answers: answers,
      date: Self.date
    )
  }

  /// The tokens of the parts together; those that begin in an answer count.
  func sample(
    _ segments: ConversationEncoder.Segments,
    _ tokenizer: Tokenizer
  ) throws -> TrainingSample {
    let (ids, isAnswer) = try tokenizer.encode(segments: segments)
    return TrainingSample(ids, counts: isAnswer)
  }
}
