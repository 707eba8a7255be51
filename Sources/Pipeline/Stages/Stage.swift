public import Foundation
public import Models

/// One step of a recipe: reads a model, changes, exports or measures it, and reports what it did.
///
/// A stage is created from its options, checked and planned against what earlier stages promise
/// (no weights are read for that), and run. It keeps no state between these calls.
public protocol Stage: Sendable {
  /// The options a recipe can give.
  associatedtype Options: StageOptions

  /// What a recipe calls the stage, such as `prune.wanda`.
  static var kind: String { get }

  /// What the stage does, in one sentence.
  static var summary: String { get }

  /// What running the stage leaves behind.
  static var effect: StageEffect { get }

  /// The stage as a line of a recipe, shown by `describe`; made from the options if not given.
  static var example: String { get }

  /// Creates the stage.
  init(_ options: Options)

  /// For a stage that exports: the file or folder it writes, relative to the run directory.
  var exportPath: String? { get }

  /// The texts that the stage fits the model to, which must not be those it is measured on.
  var fittedTexts: [FittedText] { get }

  /// Why a stage that measures does not bring a number that a gate bounds; nil if it does.
  ///
  /// - Parameter metric: The metric's name in gates.
  /// - Returns: What follows the name in a sentence, such as “is measured only with `reference`”.
  func missing(_ metric: String) -> String?

  /// Files that decide the result beside those that options name as a recipe's inputs, such as the
  /// description of a folder that the stage may also write to.
  ///
  /// - Parameter paths: Where paths of the recipe start.
  /// - Returns: The files that are there.
  func otherInputs(_ paths: RecipePaths) -> [URL]

  /// Finds what would stop this stage given what earlier stages promise, and turns the promise
  /// into what holds after it.
  func check(_ promise: inout ModelPromise) -> [StageProblem]

  /// Finds what would stop this stage in what belongs to the recipe's model beside its weights and
  /// that stages do not change, such as a tokenizer that a format cannot express.
  func checkCompanions(of model: LanguageModel) -> [StageProblem]

  /// Finds what would stop this stage in other models and files that its options name.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - setting: What is there beside it.
  /// - Returns: The problems, each with the option to blame.
  func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem]

  /// Estimates what the stage will do and need.
  ///
  /// - Parameter promise: The model before the stage.
  /// - Returns: What is known; what is left out is filled in from the promise.
  func plan(_ promise: ModelPromise) -> StagePlan

  /// Estimates what a stage will do and need that opens other models or files.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - setting: What is there beside it.
  /// - Returns: As ``plan(_:)``, which stages that need nothing else leave it to.
  func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan

  /// Runs the stage.
  ///
  /// A stage that changes the model calls ``StageContext/finishBlock(_:of:)`` as soon as a block
  /// has its final weights; one that changes its structure first makes another model the result
  /// by ``StageContext/replaceModel(by:)``. One that exports writes to
  /// ``StageContext/exportURL``.
  ///
  /// - Throws: Any error that stops the stage; the run can be resumed before it.
  func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport

  /// Opens what the stage exported again and compares it with the model bit by bit.
  ///
  /// - Throws: An error that says what differs; the export is then not put in place.
  func verify(_ export: URL, against model: LanguageModel, _ context: StageContext) throws
}

extension Stage {
  /// Nil.
  public var exportPath: String? { nil }

  /// None.
  public var fittedTexts: [FittedText] { [] }

  /// Nil.
  public func missing(_ metric: String) -> String? { nil }

  /// None.
  public func otherInputs(_ paths: RecipePaths) -> [URL] { [] }

  /// Does nothing.
  public func verify(
    _ export: URL,
    against model: LanguageModel,
    _ context: StageContext
  ) throws {}

  /// The stage with its required options and the first of the others.
  public static var example: String { StageReference.example(kind: kind, Options.self) }

  /// None.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] { [] }

  /// None.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] { [] }

  /// The estimate from the promise alone.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan { plan(promise) }

  /// An estimate that says nothing.
  public func plan(_ promise: ModelPromise) -> StagePlan { StagePlan() }
}
