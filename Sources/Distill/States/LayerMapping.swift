public import Pipeline

/// Which layers of a student imitate which of the teacher.
public struct LayerMapping: OptionGroup {
  /// Layers of the student.
  public var studentLayers: [Int] = []
  /// The teacher's layer for each of these.
  public var teacherLayers: [Int] = []

  /// Creates the defaults: all layers.
  public init() {}

  /// The options.
  public static var fields: [Field<LayerMapping>] {
    [
      .field(
        "student_layers",
        \.studentLayers,
        "The student's layers that imitate one of the teacher, counted from 0; all if not given."
      ),
      .field(
        "teacher_layers",
        \.teacherLayers,
        "The teacher's layer for each of these, such as the layers that pruning has kept; evenly "
          + "spaced, the last for the last, if not given."
      ),
    ]
  }

  /// The pairs for models with some numbers of layers.
  package func pairs(student: Int, teacher: Int) -> [(student: Int, teacher: Int)] {
    let layers = studentLayers.isEmpty ? Array(0..<student) : studentLayers
    guard teacherLayers.isEmpty else { return zip(layers, teacherLayers).map { ($0, $1) } }
    return layers.map { layer in
      let place = Double((layer + 1) * teacher) / Double(student)
      return (layer, max(0, Int(place.rounded()) - 1))
    }
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    if !teacherLayers.isEmpty && !studentLayers.isEmpty
      && teacherLayers.count != studentLayers.count
    {
      problems.append(
        StageProblem(
          "\(teacherLayers.count) layers of the teacher are given for \(studentLayers.count)",
          option: "teacher_layers"
        )
      )
    }
    for (option, layers) in [("student_layers", studentLayers), ("teacher_layers", teacherLayers)]
    where zip(layers, layers.dropFirst()).contains(where: { $0 >= $1 }) || (layers.first ?? 0) < 0 {
      problems.append(StageProblem("layers do not rise from 0", option: option))
    }
    return problems
  }

  /// Finds layers that the models do not have.
  package func check(student: Int, teacher: Int) -> [StageProblem] {
    var problems: [StageProblem] = []
    if let last = studentLayers.last, last >= student {
      problems.append(
        StageProblem("the student has no layer \(last) of \(student)", option: "student_layers")
      )
    }
    if let last = teacherLayers.last, last >= teacher {
      problems.append(
        StageProblem("the teacher has no layer \(last) of \(teacher)", option: "teacher_layers")
      )
    }
    let count = studentLayers.isEmpty ? student : studentLayers.count
    if !teacherLayers.isEmpty && teacherLayers.count != count {
      problems.append(
        StageProblem(
          "\(teacherLayers.count) layers of the teacher are given for \(count) of the student",
          option: "teacher_layers"
        )
      )
    }
    return problems
  }
}
