internal import Checkpoints
public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// A GGUF file, which llama.cpp and its relatives open.
///
/// Codes in groups go into blocks code for code where the blocks can hold them, and blocks that a
/// matrix has already are carried over byte for byte. Unquantized matrices are rounded by ggml's
/// rules, to the bytes that llama.cpp's own quantizer writes with the same importance matrix or
/// without one. What would be rounded a second time is refused unless ``requantizes`` says so.
/// Normalizations and biases are stored in 32 bits.
public struct GGUFFormat: ExportFormat {
  /// The type of the blocks' matrices.
  public var type: GGUFTensorType
  /// The type of embedding and head.
  ///
  /// If nil, matrices that are quantized keep what they have, and others get what a mixture has
  /// for them, or `type`, but no less than 8 bits.
  public var embedding: GGUFTensorType?
  /// Whether quantized matrices may be rounded a second time.
  public var requantizes: Bool
  /// How much each column of a matrix matters; nil if all do alike.
  ///
  /// Matrices without an entry are rounded as without an importance matrix.
  public var importance: ImportanceMatrix?
  /// The file of the importance matrix, as the metadata are to name it.
  ///
  /// If it is given, plans are made for an importance matrix also while ``importance`` is not read yet.
  public var importancePath: String?

  /// Creates the format.
  public init(
    type: GGUFTensorType,
    embedding: GGUFTensorType? = nil,
    requantizes: Bool = false,
    importance: ImportanceMatrix? = nil,
    importancePath: String? = nil
  ) {
    self.type = type
    self.embedding = embedding
    self.requantizes = requantizes
    self.importance = importance
    self.importancePath = importancePath
  }

  private var hasImportance: Bool { importance != nil || importancePath != nil }

  /// Finds what the format cannot hold.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    for part in promise.parts {
      guard part.shape.rank == 2 else {
        plan.byteCount += part.shape.count * 4
        continue
      }
      if let problem = problem(part, promise.configuration) {
        plan.problems.append(problem)
        continue
      }
      let encoding = encoding(part.name, part.format, part.shape.columns, promise.configuration)
      plan.byteCount += TensorDeclaration(part.name, encoding, shape: part.shape).byteCount
    }
    let configuration = promise.configuration
    plan.byteCount += promise.biasCount * 4
    plan.byteCount += configuration.rotary.storedDivisors.map { 4 * $0.count } ?? 0
    plan.problems = plan.problems.firstOfEachMessage + configuration.problemsInGGUF
    plan.notes =
      configuration.notesOnGGUF + wideningNotes(promise) + fallbackNotes(promise)
      + promise.activationNotes("GGUF")
    return plan
  }

  /// Finds a tokenizer that GGUF has no way to express.
  public func companionProblems(of model: LanguageModel) -> [StageProblem] {
    problems { _ = try metadata(model) }
  }

  /// Writes the file.
  public func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    let meter = ErrorMeter()
    let sections = try sections(model, meter)
    let declarations = sections.declarations
    var writer = try GGUFWriter(
      path: url.path,
      metadata: try metadata(model),
      tensors: declarations
    )
    try sections.forEachRun(progress) { name, rows in try writer.append(rows, to: name) }
    try writer.finish()
    var summary = ExportSummary()
    summary.tensorByteCount = sections.byteCount
    summary.tensorCount = declarations.count
    summary.fileByteCount = fileSize(url)
    summary.largestError = meter.largest
    summary.warnings = missingImportance(model)
    return summary
  }

  /// Compares metadata and every tensor of the file with the model, and opens it as a model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    let file = try GGUFFile(path: url.path)
    try sections(model, nil).verify(file, at: url.path)
    func differ(_ problem: String, _ place: String) -> ExportError {
      ExportError(
        .different,
        problem,
        at: "\(url.path): \(place)",
        remedy: "this is an error of the program; report it"
      )
    }
    guard file.metadata == (try metadata(model)) else {
      throw differ("the metadata differ from those in memory", "header")
    }
    let written = try ModelLoader.inspect(url).configuration
    let differences = model.configuration.readFromGGUF(as: written).differences(from: written)
    guard differences.isEmpty else {
      throw differ("the file opens with another \(differences.joined(separator: ", "))", "metadata")
    }
  }
}

// MARK: - Importance

extension GGUFFormat {
  /// Why an importance matrix cannot be that of a model.
  func importanceProblems(_ importance: ImportanceMatrix, _ promise: ModelPromise) -> [StageProblem]
  {
    let wrong = promise.matrices.filter { part in
      guard part.name != "model.embed_tokens", let entry = importance[part.name] else {
        return false
      }
      return entry.sumsOfSquares.count != part.shape.columns
    }
    if let first = wrong.first, let entry = importance[first.name] {
      return [
        StageProblem(
          "the importance matrix is of another model: it has \(entry.sumsOfSquares.count) columns "
            + "for `\(first.name)`, which has \(first.shape.columns)"
        )
      ]
    }
    if promise.matrices.allSatisfy({ importance[$0.name] == nil }) {
      return [StageProblem("the importance matrix has no entry for any matrix of the model")]
    }
    return []
  }

  /// The matrices of blocks that are rounded without the importance that others have.
  private func missingImportance(_ model: LanguageModel) -> [String] {
    guard let importance else { return [] }
    let missing = model.linears.filter { linear in
      guard case .elements = linear.format,
        case .blocks = encoding(linear.name, linear.format, linear.columns, model.configuration)
      else { return false }
      return importance[linear.name] == nil
    }
    guard let first = missing.first else { return [] }
    return [
      "\(Wording.count(missing.count, "matrix", "matrices")), such as `\(first.name)`, are not in the "
        + "importance matrix and were rounded without it"
    ]
  }
}

// MARK: - Encodings

extension GGUFFormat {
  private func isVocabulary(_ name: String) -> Bool {
    name == "model.embed_tokens" || name == "lm_head"
  }

  /// What the file stores of a matrix.
  func encoding(
    _ name: String,
    _ format: WeightFormat,
    _ columns: Int,
    _ configuration: ModelConfiguration
  ) -> TensorEncoding {
    if let choice = choice(name, format, columns, configuration) { return choice.stored }
    var type = type
    if isVocabulary(name) {
      if let embedding {
        type = embedding
      } else if case .elements = format {
        if [.q4_0, .q4_1, .q5_0, .q5_1].contains(type) { type = .q8_0 }
      } else {
        type = .lossless
      }
    }
    return type.encoding ?? .lossless(format, columns: columns)
  }

  /// The format that a mixture has for a matrix; nil if the type is not a mixture.
  private func choice(
    _ name: String,
    _ format: WeightFormat,
    _ columns: Int,
    _ configuration: ModelConfiguration
  ) -> BlockPreset.Choice? {
    if isVocabulary(name) {
      if let embedding {
        return embedding.preset.map { BlockPreset.Choice($0.format, columns: columns) }
      }
      guard case .elements = format else { return nil }
    }
    guard let preset = type.preset else { return nil }
    func choice(hasImportance: Bool) -> BlockPreset.Choice {
      preset.choice(
        for: name,
        columns: columns,
        in: configuration,
        hasImportance: hasImportance
      )
    }
    // What was fitted to a text has what the mixture gives with an importance matrix.
    let fitted = choice(hasImportance: true)
    if case .blocks = format, fitted.stored == .lossless(format, columns: columns) { return fitted }
    return choice(hasImportance: hasImportance)
  }

  /// Why a matrix cannot be stored in one of the formats that it may have; nil if it can.
  private func problem(
    _ part: ModelPromise.Part,
    _ configuration: ModelConfiguration
  ) -> StageProblem? {
    let columns = part.shape.columns
    for format in part.expectedFormats {
      let encoding = encoding(part.name, format, columns, configuration)
      guard let objection = objection(format, encoding, columns: columns) else { continue }
      let verb = part.possibleFormats.isEmpty ? "is" : "may become"
      return StageProblem(
        "`\(part.name)` \(verb) \(format): \(objection)",
        option: isVocabulary(part.name) && embedding != nil ? "embedding" : "type"
      )
    }
    return nil
  }

  /// Why a matrix cannot be stored in an encoding; nil if it can.
  private func objection(
    _ format: WeightFormat,
    _ encoding: TensorEncoding,
    columns: Int
  ) -> String? {
    switch MatrixConversion(from: format, to: encoding, columns: columns) {
    case .same, .exact, .rounded: return nil
    case .impossible(let problem): return "\(problem); use `f16`"
    case .requantized:
      if requantizes { return nil }
      let way = "; `requantize: true` allows rounding a second time"
      guard case .groups(let groups) = format, case .blocks(let target) = encoding,
        let objection = target.objection(to: groups)
      else {
        return "\(encoding) would round it a second time; `lossless` keeps it, and "
          + "`requantize: true` allows rounding"
      }
      return "\(target.name) cannot hold it, as \(objection)\(way)"
    }
  }

  /// Which matrices a mixture stores otherwise than it would, as their rows do not fill blocks.
  private func fallbackNotes(_ promise: ModelPromise) -> [String] {
    struct Fallback: Hashable {
      let choice: BlockPreset.Choice
      let columns: Int
    }
    var names: [Fallback: [String]] = [:]
    for part in promise.matrices {
      let columns = part.shape.columns
      guard let choice = choice(part.name, part.format, columns, promise.configuration),
        choice.stored != .blocks(choice.wanted)
      else { continue }
      names[Fallback(choice: choice, columns: columns), default: []].append(part.name)
    }
    return names.map { fallback, names in
      let wanted = fallback.choice.wanted
      return
        "\(Wording.count(names.count, "matrix", "matrices")), such as `\(names[0])`, with rows "
        + "of \(fallback.columns), which blocks of \(wanted.blockLength) do not divide, get "
        + "\(fallback.choice.stored) instead of \(wanted.name)"
    }.sorted()
  }

  /// Which matrices ``GGUFTensorType/lossless`` has to widen.
  private func wideningNotes(_ promise: ModelPromise) -> [String] {
    let widened = promise.matrices.filter { part in
      guard case .groups = part.format else { return false }
      let encoding = encoding(part.name, part.format, part.shape.columns, promise.configuration)
      return encoding == .elements(.float32) && type == .lossless
    }
    guard let first = widened.first else { return [] }
    return [
      "\(Wording.count(widened.count, "matrix", "matrices")), such as `\(first.name)`, "
        + "\(first.format), fit no block format and are stored as f32"
    ]
  }
}

// MARK: - Tensors

extension GGUFFormat {
  /// The file's tensors, section by section.
  private func sections(
    _ model: LanguageModel,
    _ meter: ErrorMeter?
  ) throws -> [ExportedSection] {
    let configuration = model.configuration
    var sections = try model.sections.map { section in
      var tensors: [ExportedTensor] = []
      for norm in section.norms {
        tensors.append(
          ExportedTensor(try name("\(norm.name).weight"), norm.weight.converted(to: .float32))
        )
      }
      for linear in section.matrices {
        let order = configuration.rowOrderInGGUF(of: linear)
        tensors.append(
          ExportedTensor(
            try name("\(linear.name).weight"),
            linear,
            as: encoding(linear.name, linear.format, linear.columns, configuration),
            order: order,
            importance: try importance(of: linear),
            meter: meter
          )
        )
        if let bias = linear.bias?.converted(to: .float32) {
          tensors.append(
            ExportedTensor(
              try name("\(linear.name).bias"),
              order.map { bias.gathered(rows: $0) } ?? bias
            )
          )
        }
      }
      return ExportedSection(tensors: tensors) { section.release() }
    }
    if let divisors = configuration.rotary.storedDivisors {
      let tensor = ExportedTensor("rope_freqs.weight", Tensor(divisors, shape: [divisors.count]))
      sections.append(ExportedSection(tensors: [tensor]))
    }
    return sections
  }

  /// The weights of a matrix's columns; nil if there are none.
  private func importance(of linear: Linear) throws -> Tensor? {
    guard let entry = importance?[linear.name] else { return nil }
    let count = entry.sumsOfSquares.count
    if count == linear.columns { return entry.meanSquares }
    // As llama.cpp does, since matrices of other models' embeddings are found in files.
    if linear.name == "model.embed_tokens" { return nil }
    throw ExportError(
      .unsupported,
      "the importance matrix has \(count) columns and the matrix \(linear.columns)",
      at: linear.name,
      remedy: "use the importance matrix of this model"
    )
  }

  private func name(_ tensor: String) throws -> String {
    guard let name = GGUFNames.name(of: tensor) else {
      throw ExportError(
        .unsupported,
        "GGUF has no name for the tensor",
        at: tensor,
        remedy: "export in another format"
      )
    }
    return name
  }
}

extension ModelConfiguration {
  /// For each row of a matrix in the file, its row in memory; nil if the order is the same.
  fileprivate func rowOrderInGGUF(of linear: Linear) -> [Int32]? {
    guard architecture.ggufInterleavesRotaryRows else { return nil }
    if linear.name.hasSuffix(".q_proj") {
      return RotaryRows.halved(heads: queryHeads, rows: linear.rows)
    }
    if linear.name.hasSuffix(".k_proj") {
      return RotaryRows.halved(heads: keyHeads, rows: linear.rows)
    }
    return nil
  }
}
