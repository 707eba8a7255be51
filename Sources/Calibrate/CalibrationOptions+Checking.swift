public import Models
public import Pipeline

extension CalibrationOptions {
  /// The text, for a stage to tell that it fits the model to it.
  ///
  /// - Parameter option: What the stage calls the group.
  /// - Returns: The text, as far as it is read.
  public func fittedText(at option: String = "calibration") -> FittedText {
    FittedText(.text(text, tokens: tokenCount), option: "\(option).text")
  }

  /// Finds sequences longer than the model's context, and a choice of inputs where there is none.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - option: What the stage calls the group.
  ///   - choosesInputs: Whether the stage changes one layer after the other and can do so with
  ///     either inputs.
  /// - Returns: The problem, if there is one.
  public func check(
    _ promise: ModelPromise,
    at option: String = "calibration",
    choosesInputs: Bool = false
  ) -> [StageProblem] {
    if inputs == .original && !choosesInputs {
      return [
        StageProblem("this stage has no choice of inputs; leave it out", option: "\(option).inputs")
      ]
    }
    guard length > promise.configuration.contextLength else { return [] }
    return [
      StageProblem(
        "sequences of \(length) tokens exceed the model's context of "
          + "\(promise.configuration.contextLength)",
        option: "\(option).length"
      )
    ]
  }

  /// Finds that a model's tokenizer, which the text needs, cannot be opened.
  ///
  /// - Parameter model: The recipe's model.
  /// - Returns: The problem, if there is one.
  public static func tokenizerProblems(of model: LanguageModel) -> [StageProblem] {
    do {
      _ = try model.tokenizer()
      return []
    } catch {
      return [StageProblem("the tokenizer is needed and cannot be opened: \(error)")]
    }
  }
}

extension WeightSelection {
  /// Finds a selected matrix that is no layer of a block, whose input no walk measures.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - remedy: What to do about it, such as another stage.
  /// - Returns: The problem, if there is one.
  public func outsideBlocks(_ promise: ModelPromise, remedy: String) -> [StageProblem] {
    let layers = Set(promise.linears.map(\.name))
    guard let outside = select(from: promise).first(where: { !layers.contains($0.name) }) else {
      return []
    }
    return [StageProblem("`\(outside.name)` is no layer of a block; \(remedy)", option: "targets")]
  }
}
