internal import Models
internal import Pipeline

extension WeightSelection {
  /// Finds selected matrices that an earlier stage of the recipe has quantized: rounding their codes
  /// again loses more than rounding once.
  func quantizedBefore(_ promise: ModelPromise) -> [StageProblem] {
    let taken = select(from: promise).filter { $0.quantizer != nil }
    guard let first = taken.first, let stage = first.quantizer else { return [] }
    let others = taken.count > 1 ? " and \(taken.count - 1) more" : ""
    return [
      StageProblem(
        "`\(first.name)`\(others) would be rounded a second time, as `\(stage)` has quantized "
          + "\(taken.count > 1 ? "them" : "it"); leave what one of the two is not to work on out "
          + "by its `exclude`",
        option: "targets"
      )
    ]
  }

  /// What a plan says of selected matrices that come quantized.
  func notesOnQuantized(_ promise: ModelPromise) -> [String] {
    let count = select(from: promise).count { !$0.format.isDense }
    guard count > 0 else { return [] }
    return [
      "\(Wording.count(count, "matrix is", "matrices are")) quantized already and will be rounded "
        + "a second time"
    ]
  }
}
