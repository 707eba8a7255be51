internal import Models
internal import Pipeline
internal import Sparsity
internal import Tensor

/// Collects what setting weights to zero cost, for the report.
struct SparsityTally {
  private var layers: [StageReport.Layer] = []
  private var zeros = 0
  private var weights = 0
  private var sums: [String: (error: Double, all: Double)] = [:]

  /// Adds a matrix.
  ///
  /// - Parameters:
  ///   - linear: The layer, with its new weight.
  ///   - errors: For each kind of error by name what was lost and what there was.
  mutating func add(_ linear: Linear, _ errors: [String: (error: Double, all: Double)]) {
    let dense = linear.weight.dense
    let zeros = dense.zeroCount
    var values = ["sparsity": Double(zeros) / Double(max(1, dense.count))]
    for (name, sum) in errors {
      values[name] = sum.all > 0 ? sum.error / sum.all : 0
      let total = sums[name, default: (0, 0)]
      sums[name] = (total.error + sum.error, total.all + sum.all)
    }
    layers.append(StageReport.Layer(linear.name, values))
    self.zeros += zeros
    weights += dense.count
  }

  /// The table, and its sums over all matrices.
  var report: StageReport {
    var metrics = [
      "sparsity": Double(zeros) / Double(max(1, weights)), "zeros": Double(zeros),
      "pruned_weights": Double(weights),
    ]
    for (name, sum) in sums { metrics[name] = sum.all > 0 ? sum.error / sum.all : 0 }
    return StageReport(metrics: metrics, layers: layers)
  }
}

extension WeightFormat {
  /// The dtype of elements, or what they are widened to.
  var elementType: DType {
    if case .elements(let dtype) = self { dtype } else { .float32 }
  }
}
