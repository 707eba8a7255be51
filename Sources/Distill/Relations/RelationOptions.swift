internal import Models
public import Pipeline
internal import Tensor

/// Which relations between positions a student takes over from its teacher's attention.
///
/// The vectors of all heads at a position are put side by side and divided into `heads` parts of
/// their own, whatever the heads of the models were. In each part a position is compared with those
/// that it sees:
///
///     R[t, s] = softmax over s ≤ t of ⟨x[t], x[s]⟩ / √d
///
/// with `d` the width of a part, and the loss of queries, keys or values is the mean of
/// KL(teacher's R[t] ‖ student's R[t]) over parts and positions that count. The losses are added.
///
/// Source: Wang et al., *MiniLMv2: Multi-Head Self-Attention Relation Distillation for Compressing
/// Pretrained Transformers*, 2020, arXiv:2012.15828, section 3; the relations of values are
/// those of Wang et al., *MiniLM*, 2020, arXiv:2002.10957. Differs from them in that positions see
/// only themselves and what comes before in their document, as in a decoder's attention; that
/// vectors are taken before they are turned by their positions, as the turning is the same function
/// in both models and parts would cut through its pairs of channels; and that positions of which
/// nothing is predicted, such as questions, do not count.
public struct RelationOptions: OptionGroup {
  /// Which vectors are compared.
  public var of: [AttentionRelation] = [.queries, .keys, .values]
  /// Into how many parts the vectors are divided.
  public var heads: Int?
  /// The student's layer.
  public var studentLayer: Int?
  /// The teacher's layer.
  public var teacherLayer: Int?
  /// How much the relations count.
  public var weight = 1.0

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<RelationOptions>] {
    [
      .field("of", \.of, "Which vectors are compared with those of the same kind."),
      .field(
        "heads",
        \.heads,
        in: 1...4096,
        "Into how many parts the vectors of a position are divided; it divides the widths of both "
          + "models. As many as leave at least 16 channels each if not given."
      ),
      .field(
        "student_layer",
        \.studentLayer,
        in: 0...4096,
        "The student's layer, counted from 0; the last if not given."
      ),
      .field(
        "teacher_layer",
        \.teacherLayer,
        in: 0...4096,
        "The teacher's layer; the last if not given. Where the teacher is much larger the "
          + "authors find one of its upper middle better."
      ),
      .field(
        "weight",
        \.weight,
        in: .above(0.0),
        "What the sum of the relations' losses is multiplied by."
      ),
    ]
  }

  /// Finds lists without or with repeated members.
  public func problems() -> [StageProblem] {
    if of.isEmpty {
      return [StageProblem("no vectors are named; leave it out for all", option: "of")]
    }
    guard Set(of).count < of.count else { return [] }
    return [StageProblem("a kind of vectors is named twice", option: "of")]
  }
}

/// Vectors of attention whose relations are imitated.
public enum AttentionRelation: String, RecipeChoice {
  case queries, keys, values

  /// What the choice means.
  public var summary: String {
    switch self {
    case .queries: "what positions look for"
    case .keys: "by what positions are found"
    case .values: "what positions hand on"
    }
  }

  /// The vectors of this kind, `[B · T, channels]`.
  func vectors(_ all: AttentionVectors) -> Tensor {
    switch self {
    case .queries: all.queries
    case .keys: all.keys
    case .values: all.values
    }
  }

  /// How many channels the vectors of this kind have.
  func width(_ configuration: ModelConfiguration) -> Int {
    (self == .queries ? configuration.queryHeads : configuration.keyHeads) * configuration.headSize
  }
}

extension RelationOptions {
  /// The widths of all vectors that are compared.
  private func widths(_ student: ModelConfiguration, _ teacher: ModelConfiguration) -> [Int] {
    of.flatMap { [$0.width(student), $0.width(teacher)] }
  }

  /// Into how many parts vectors are divided.
  func headCount(student: ModelConfiguration, teacher: ModelConfiguration) -> Int {
    if let heads { return heads }
    let widths = widths(student, teacher)
    let most = max(1, (widths.min() ?? 16) / 16)
    return (1...most).last { heads in widths.allSatisfy { $0.isMultiple(of: heads) } } ?? 1
  }

  /// Finds layers that are not there, and widths that cannot be divided.
  func check(student: ModelConfiguration, teacher: ModelConfiguration) -> [StageProblem] {
    var problems: [StageProblem] = []
    for (name, layer, model) in [
      ("student", studentLayer, student), ("teacher", teacherLayer, teacher),
    ] {
      guard let layer, layer >= model.layerCount else { continue }
      problems.append(
        StageProblem(
          "the \(name) has no layer \(layer) of \(model.layerCount)",
          option: "relations.\(name)_layer"
        )
      )
    }
    guard let heads else { return problems }
    let uneven = widths(student, teacher).first { !$0.isMultiple(of: heads) }
    if let uneven {
      problems.append(
        StageProblem(
          "vectors of \(uneven) channels cannot be divided into \(heads) equal parts; "
            + "\(fitting(student, teacher)) would fit",
          option: "relations.heads"
        )
      )
    }
    return problems
  }

  private func fitting(_ student: ModelConfiguration, _ teacher: ModelConfiguration) -> Int {
    var automatic = self
    automatic.heads = nil
    return automatic.headCount(student: student, teacher: teacher)
  }

  /// What a plan says about the relations.
  func note(student: ModelConfiguration, teacher: ModelConfiguration) -> String {
    let kinds = Wording.list(of.map(\.rawValue), "and")
    let heads = Wording.count(headCount(student: student, teacher: teacher), "head", "heads")
    let (own, other) = (
      studentLayer ?? student.layerCount - 1, teacherLayer ?? teacher.layerCount - 1
    )
    return
      "relations of \(kinds) in layer \(own) imitate those of the teacher's layer \(other), in "
      + heads
  }
}
