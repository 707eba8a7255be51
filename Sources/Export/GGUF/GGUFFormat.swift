internal import Checkpoints
public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// A GGUF file, which llama.cpp and its relatives open.
///
/// Codes in groups go into blocks code for code where the blocks can hold them, and blocks that a
/// matrix has already are carried over byte for byte. Unquantized matrices are rounded by ggml's
/// reference rule, to the bytes that llama.cpp's own quantizer writes without an importance
/// matrix. What would be rounded a second time is refused unless ``requantizes`` says so.
/// Normalizations and biases are stored in 32 bits.
public struct GGUFFormat: ExportFormat {
  /// The type of the blocks' matrices.
  public var type: GGUFTensorType
  /// The type of embedding and head.
  ///
  /// If nil, matrices that are quantized keep what they have, and
  /// others get `type`, but no less than 8 bits.
  public var embedding: GGUFTensorType?
  /// Whether quantized matrices may be rounded a second time.
  public var requantizes: Bool

  /// Creates the format.
  public init(
    type: GGUFTensorType,
    embedding: GGUFTensorType? = nil,
    requantizes: Bool = false
  ) {
    self.type = type
    self.embedding = embedding
    self.requantizes = requantizes
  }

  /// Finds what the format cannot hold.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    for part in promise.parts {
      guard part.shape.rank == 2 else {
        plan.byteCount += part.shape.count * 4
        continue
      }
      let encoding = encoding(part.name, part.format, columns: part.shape.columns)
      if let objection = objection(part.format, encoding, columns: part.shape.columns) {
        let option = isVocabulary(part.name) && embedding != nil ? "embedding" : "type"
        plan.problems.append(
          StageProblem("`\(part.name)` is \(part.format): \(objection)", option: option)
        )
        continue
      }
      plan.byteCount += TensorDeclaration(part.name, encoding, shape: part.shape).byteCount
    }
    let configuration = promise.configuration
    plan.byteCount += promise.biasCount * 4
    plan.byteCount += configuration.rotary.storedDivisors.map { 4 * $0.count } ?? 0
    plan.problems = plan.problems.firstOfEachMessage + configuration.problemsInGGUF
    plan.notes = configuration.notesOnGGUF + fallbackNotes(promise)
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

// MARK: - Encodings

extension GGUFFormat {
  private func isVocabulary(_ name: String) -> Bool {
    name == "model.embed_tokens" || name == "lm_head"
  }

  /// What the file stores of a matrix.
  func encoding(_ name: String, _ format: WeightFormat, columns: Int) -> TensorEncoding {
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
      else { return "\(encoding) would round it a second time\(way)" }
      return "\(target.name) cannot hold it, as \(objection)\(way)"
    }
  }

  /// Which matrices ``GGUFTensorType/lossless`` has to widen.
  private func fallbackNotes(_ promise: ModelPromise) -> [String] {
    let widened = promise.matrices.filter { part in
      guard case .groups = part.format else { return false }
      return encoding(part.name, part.format, columns: part.shape.columns) == .elements(.float32)
        && type == .lossless
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
        let encoding = encoding(linear.name, linear.format, columns: linear.columns)
        tensors.append(
          ExportedTensor(
            try name("\(linear.name).weight"),
            linear,
            as: encoding,
            order: order,
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
