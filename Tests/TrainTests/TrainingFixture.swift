import Foundation
import Tensor
import Testing

@testable import Train

/// Targets that parameters are drawn to; each counts as a token.
struct Targets {
  var step: Int
  var matrix: [Tensor]
  var vector: [Tensor]
}

/// A problem whose solution is known: the mean squared distance to noisy targets.
final class Problem {
  let matrix: Parameter
  let vector: Parameter
  /// How many targets each part of a step has.
  var counts = [3]
  var noise = 0.1
  var validationCalls = 0
  private let solution: (matrix: Tensor, vector: Tensor)

  init(dtype: DType = .float32) {
    var random = Random(seed: 11)
    matrix = Parameter("layer.weight", random.normal([70, 64], dtype: dtype))
    vector = Parameter("layer.bias", random.normal([64], dtype: dtype))
    solution = (random.normal([70, 64], dtype: dtype), random.normal([64], dtype: dtype))
  }

  var parameters: [Parameter] { [matrix, vector] }

  func batch(_ step: Int, _ part: Int) -> Targets {
    var random = Random(seed: UInt64(1000 * step + part))
    func noisy(_ tensor: Tensor) -> Tensor {
      tensor + random.normal(tensor.shape, deviation: noise, dtype: tensor.dtype)
    }
    let targets = (0..<counts[part]).map { _ in (noisy(solution.matrix), noisy(solution.vector)) }
    return Targets(step: step, matrix: targets.map(\.0), vector: targets.map(\.1))
  }

  /// Half the squared distance from the parameters to the targets, on average over targets.
  func loss(_ batch: Targets) -> Tensor {
    let sides = [(matrix.value, batch.matrix), (vector.value, batch.vector)]
    let count = Double(batch.matrix.count)
    var total = 0.0
    var gradients: [Tensor] = []
    for (value, targets) in sides {
      var gradient = Tensor(zeros: value.shape, dtype: value.dtype)
      for target in targets {
        let distance = value.detached - target
        total += distance.sumOfSquares() / 2 / count
        gradient.add(distance, scale: 1 / count)
      }
      gradients.append(gradient)
    }
    let dtype = matrix.dtype
    let loss = dtype == .float32 ? Tensor([Float(total)], shape: []) : Tensor([total], shape: [])
    return loss.recorded("distance", sides.map(\.0)) { [gradients] dy, _ in
      gradients.map { $0.scaled(by: dy.converted(to: .float64).elements(as: Double.self)[0]) }
    }
  }

  func validationLoss() -> Double {
    validationCalls += 1
    let distances = [matrix.value - solution.matrix, vector.value - solution.vector]
    return distances.reduce(0) { $0 + $1.sumOfSquares() }
  }

  func loop(_ optimizer: any Optimizer, _ options: TrainingOptions) -> TrainingLoop<Targets> {
    TrainingLoop(
      parameters: parameters,
      optimizer: optimizer,
      options: options,
      batch: { self.batch($0, $1) },
      tokenCount: \.matrix.count,
      loss: { self.loss($0) },
      validationLoss: { self.validationLoss() }
    )
  }

  /// The bits of all parameters.
  var bits: [[UInt8]] { parameters.map { $0.value.withBytes { Array($0) } } }
}

/// A folder that is removed with the object.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "train-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: url.appending(path: name)) }

  func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: url.appending(path: folder).path).sorted()
  }
}

/// What a test throws to end a training.
struct Killed: Error {}
