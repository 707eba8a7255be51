internal import Datasets
public import Models
public import Pipeline

/// A stage that runs a calibration text through the model.
///
/// What is wrong with the text is found before anything runs: that it fills no sequence, that it is
/// shorter than asked for, that it is too short for what is solved for with it.
public protocol CalibratedStage: Stage {
  /// The text; nil if the options need none.
  var calibration: CalibrationOptions? { get }

  /// The option that names the text: `calibration.text`, unless the stage calls it otherwise.
  static var calibrationText: String { get }

  /// How many numbers the stage solves for with the text at once, such as the inputs of the widest
  /// layer whose Gram matrix it inverts.
  ///
  /// - Parameter promise: The model before the stage.
  /// - Returns: The number; 0 if the text is only looked at.
  func unknownCount(_ promise: ModelPromise) -> Int
}

extension CalibratedStage {
  /// `calibration.text`.
  public static var calibrationText: String { "calibration.text" }

  /// None.
  public func unknownCount(_ promise: ModelPromise) -> Int { 0 }

  /// The calibration text.
  public var fittedTexts: [FittedText] { calibration.map { [$0.fittedText()] } ?? [] }

  /// Finds a tokenizer that cannot be opened.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    calibration == nil ? [] : CalibrationOptions.tokenizerProblems(of: model)
  }

  /// Finds a text that cannot be read, or is shorter than one sequence.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    checkText(setting)
  }

  /// The estimate, with what is to be known of a short text.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    var plan = plan(promise)
    plan.warnings += textWarnings(promise, setting)
    return plan
  }

  /// Finds a text that cannot be read, or is shorter than one sequence.
  ///
  /// - Parameter setting: The recipe's model, whose tokenizer cuts the text, and paths.
  /// - Returns: The problem, if there is one.
  public func checkText(_ setting: StageSetting) -> [StageProblem] {
    guard let calibration else { return [] }
    do {
      let text = try calibration.read(setting.baseline, setting.paths)
      guard text.sequenceCount == 0 else { return [] }
      return [
        StageProblem(
          "\(text.name) has \(Wording.count(text.tokens.count, "token", "tokens")), which fill no "
            + "sequence of \(calibration.length); use a longer text, or a smaller `length`",
          option: Self.calibrationText
        )
      ]
    } catch {
      return [StageProblem("the text cannot be used: \(error)", option: Self.calibrationText)]
    }
  }

  /// What is to be known of a text that is shorter than it should be.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - setting: The recipe's model, whose tokenizer cuts the text, and paths.
  /// - Returns: The remarks; none if the text cannot be read, which ``checkText(_:)`` reports.
  public func textWarnings(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    guard let text = try? calibration?.read(setting.baseline, setting.paths) else { return [] }
    return text.warnings(unknowns: unknownCount(promise)).map {
      StageProblem($0, option: Self.calibrationText)
    }
  }
}
