import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Head losses")
struct HeadLossTests {
  let golden: Golden
  init() throws { golden = try Golden("head_loss.safetensors") }

  /// A loss, and its gradients by hidden states and head, as PyTorch computes them.
  func expectGolden(
    _ name: String,
    _ dtype: DType = .float32,
    _ loss: (_ hidden: Tensor, _ head: HeadMatrix, HeadLossOptions) -> HeadLoss
  ) {
    for chunk in [1, 3, 11, 100] {
      for isEager in [true, false] {
        let hidden = Parameter("hidden", golden["hidden"].converted(to: dtype))
        let head = Parameter("head", golden["head"].converted(to: dtype))
        var options = HeadLossOptions()
        options.chunkByteCount = chunk * 37 * dtype.byteCount
        options.isEager = isEager
        let (value, gradients) = differentiate([hidden, head]) {
          loss(hidden.value, .tensor(head.value), options).value
        }
        let expected = golden[name].numbers
        // Golden numbers are computed in float64 and stored as float32, as known probabilities are.
        let (relative, absolute) = dtype == .float64 ? (2e-7, 1e-8) : (1e-5, 1e-6)
        let exact = dtype == .float64 ? relative : 2e-6
        #expect(difference(value.numbers, expected, relative: exact) == nil, "\(name)")
        for parameter in [hidden, head] {
          let found = gradients[parameter]?.numbers ?? []
          let expected = golden["\(name).\(parameter.name)"].numbers
          #expect(
            difference(found, expected, relative: relative, absolute: absolute) == nil,
            "\(name) by \(parameter.name) in \(dtype)"
          )
        }
        let plain = loss(hidden.value, .tensor(head.value), options)
        #expect(plain.value.numbers == value.numbers && !plain.value.isRecorded)
      }
    }
  }

  var targets: [Int32] { golden["targets"].elements(as: Int32.self) }
  var weights: [Float] { golden["weights"].elements(as: Float.self) }

  @Test("cross-entropy equals PyTorch's, ignored targets and weights included")
  func crossEntropy() {
    for dtype in [DType.float32, .float64] {
      expectGolden("cross_entropy", dtype) {
        $0.headCrossEntropy(head: $1, targets: targets, options: $2)
      }
      expectGolden("weighted", dtype) {
        $0.headCrossEntropy(head: $1, targets: targets, weights: weights, options: $2)
      }
    }
  }

  @Test(
    "divergences equal PyTorch's at both temperatures",
    arguments: [
      ("forward", Divergence.forwardKL), ("reverse", .reverseKL),
      ("jensen_shannon", .jensenShannon(beta: 0.5)),
      ("skew_forward", .skewForward(alpha: 0.1)), ("skew_reverse", .skewReverse(alpha: 0.1)),
      ("total_variation", .totalVariation),
    ]
  )
  func divergences(name: String, divergence: Divergence) {
    let warm = divergence == .jensenShannon(beta: 0.5) ? .jensenShannon(beta: 0.1) : divergence
    for dtype in [DType.float32, .float64] {
      let teacher = golden["teacher"].converted(to: dtype)
      expectGolden(name, dtype) {
        $0.headDivergence(
          head: $1,
          reference: .rows { teacher.rows($0) },
          divergence: divergence,
          targets: targets,
          options: $2
        )
      }
      expectGolden(name + "_2", dtype) {
        $0.headDivergence(
          head: $1,
          reference: .rows { teacher.rows($0) },
          divergence: warm,
          temperature: 2,
          targets: targets,
          weights: weights,
          options: $2
        )
      }
    }
  }

  @Test(
    "divergences from the most likely tokens equal PyTorch's",
    arguments: [
      ("forward", Divergence.forwardKL), ("reverse", .reverseKL),
      ("jensen_shannon", .jensenShannon(beta: 0.1)), ("skew_forward", .skewForward(alpha: 0.1)),
      ("skew_reverse", .skewReverse(alpha: 0.1)), ("total_variation", .totalVariation),
    ]
  )
  func mostLikely(name: String, divergence: Divergence) {
    let known = MostLikelyTokens(
      of: golden["teacher"],
      count: 6,
      vocabulary: 33,
      temperature: 2
    )
    #expect(known.tokens == golden["largest.tokens"].elements(as: Int32.self))
    #expect(
      difference(
        known.probabilities.map(Double.init),
        golden["largest.probabilities"].numbers,
        relative: 1e-6
      ) == nil
    )
    for dtype in [DType.float32, .float64] {
      expectGolden("largest_" + name, dtype) {
        $0.headDivergence(
          head: $1,
          reference: .mostLikely(known),
          divergence: divergence,
          temperature: 2,
          targets: targets,
          weights: weights,
          crossEntropyShare: 0.25,
          commonVocabulary: 33,
          options: $2
        )
      }
    }
  }

  @Test("a vocabulary that only begins alike is compared over what both have")
  func common() {
    let teacher = golden["teacher"]
    expectGolden("common") {
      $0.headDivergence(
        head: $1,
        reference: .rows { teacher.rows($0) },
        divergence: .forwardKL,
        temperature: 2,
        targets: targets,
        crossEntropyShare: 0.25,
        commonVocabulary: 33,
        options: $2
      )
    }
  }

  @Test("all tokens known one by one are the teacher's logits")
  func everything() {
    var random = Random(seed: 9)
    let (hidden, head) = (random.normal([5, 8]), HeadMatrix.tensor(random.normal([40, 8])))
    let teacher = random.normal([5, 40], deviation: 3)
    let known = MostLikelyTokens(of: teacher, count: 40)
    #expect(known.rest == Array(repeating: 0, count: 5))
    for divergence in [Divergence.forwardKL, .reverseKL, .totalVariation] {
      let values = [ReferenceLogits.rows { teacher.rows($0) }, .mostLikely(known)].map {
        hidden.headDivergence(head: head, reference: $0, divergence: divergence).value.numbers
      }
      #expect(difference(values[0], values[1], relative: 1e-6) == nil)
    }
  }

  @Test("cross-entropy and divergence together equal PyTorch's")
  func combined() {
    let teacher = golden["teacher"]
    expectGolden("combined") {
      $0.headDivergence(
        head: $1,
        reference: .rows { teacher.rows($0) },
        divergence: .forwardKL,
        temperature: 2,
        targets: targets,
        weights: weights,
        crossEntropyShare: 0.3,
        options: $2
      )
    }
  }

  @Test("a linear layer equals PyTorch's")
  func linear() {
    let names = ["hidden", "head", "bias"]
    let parameters = names.map { Parameter($0, golden[$0]) }
    let teacher = golden["teacher"]
    let (_, gradients) = differentiate(parameters) {
      let y = parameters[0].value.linear(weight: parameters[1].value, bias: parameters[2].value)
      #expect(difference(y, golden["linear"], absolute: 4e-6) == nil)
      return Tensor([Float(0)], shape: []).recorded("weighted", [y]) { _, _ in [teacher] }
    }
    for parameter in parameters {
      let found = gradients[parameter]?.numbers ?? []
      let expected = golden["linear.\(parameter.name)"].numbers
      #expect(difference(found, expected, absolute: 2e-5) == nil, "\(parameter.name)")
    }
  }

  @Test("say what they saw")
  func summary() {
    var random = Random(seed: 4)
    let (hidden, head) = (random.normal([50, 16]), random.normal([300, 16]))
    let logits = hidden.linear(weight: head)
    let choices = logits.largestColumns().elements(as: Int32.self)
    let targets = choices.enumerated().map { $0 % 3 == 0 ? $1 : $0 % 3 == 1 ? 299 - $1 : -1 }
    let loss = hidden.headCrossEntropy(head: .tensor(head), targets: targets)
    #expect(loss.correctRows == 17 && loss.countedRows == 34 && loss.weightSum == 34)
    let lines = logits.logSoftmax().numbers
    let expected = targets.enumerated().reduce(0) {
      $1.element < 0 ? $0 : $0 - lines[$1.offset * 300 + Int($1.element)]
    }
    #expect(abs(loss.crossEntropySum - expected) < 1e-4)
    #expect(difference(loss.value.numbers, [expected / 34], relative: 1e-6) == nil)
  }

  @Test("of a teacher equal to the student diverge by nothing")
  func equal() {
    var random = Random(seed: 5)
    let hidden = Parameter("hidden", random.normal([9, 16]))
    let head = HeadMatrix.stored(StoredMatrix(random.normal([100, 16])))
    for divergence in [
      Divergence.forwardKL, .reverseKL, .jensenShannon(beta: 0.3), .skewForward(alpha: 0.1),
      .skewReverse(alpha: 0.1),
    ] {
      let (value, gradients) = differentiate([hidden]) {
        hidden.value.headDivergence(
          head: head,
          reference: .head(hidden: hidden.value, matrix: head),
          divergence: divergence,
          temperature: 1.5
        ).value
      }
      #expect(abs(value.numbers[0]) < 1e-6)
      #expect((gradients[hidden]?.largestMagnitude() ?? 1) < 1e-6)
    }
  }

  @Test("without a row that counts are 0, with no gradient")
  func nothing() {
    var random = Random(seed: 6)
    let hidden = Parameter("hidden", random.normal([4, 8]))
    let head = Parameter("head", random.normal([30, 8]))
    let (value, gradients) = differentiate([hidden, head]) {
      hidden.value.headCrossEntropy(head: .tensor(head.value), targets: [-1, -1, -1, -1]).value
    }
    #expect(value.numbers == [0])
    #expect(gradients[hidden]?.largestMagnitude() == 0 && gradients[head]?.largestMagnitude() == 0)
  }

  @Test("take tokens that the teacher excludes")
  func excluded() {
    var random = Random(seed: 7)
    let hidden = Parameter("hidden", random.normal([3, 8]))
    let head = random.normal([30, 8])
    var teacher = random.normal([3, 30])
    teacher.withMutableElements(as: Float.self) { for k in 0..<40 { $0[2 * k] = -.infinity } }
    for divergence in [
      Divergence.forwardKL, .jensenShannon(beta: 0.3), .skewForward(alpha: 0.1),
      .skewReverse(alpha: 0.1), .totalVariation,
    ] {
      let (value, gradients) = differentiate([hidden]) {
        hidden.value.headDivergence(
          head: .tensor(head),
          reference: .rows { teacher.rows($0) },
          divergence: divergence
        ).value
      }
      #expect(value.numbers[0] > 0 && value.numbers[0].isFinite)
      #expect(gradients[hidden]?.largestMagnitude().isFinite == true)
    }
  }

  @Test("hand the head's gradient over scaled and added to what is there")
  func accumulated() {
    var random = Random(seed: 8)
    let hidden = random.normal([6, 8])
    let head = Parameter("head", random.normal([30, 8]))
    let targets: [Int32] = [0, 1, 2, 3, 4, 29]
    func loss() -> Tensor {
      hidden.headCrossEntropy(head: .tensor(head.value), targets: targets).value
    }
    let once = differentiate([head], loss).gradients[head]
    var sums = Gradients()
    for _ in 0..<4 { _ = differentiate([head], addingTo: &sums, weight: 0.25, loss) }
    #expect(difference(sums[head]?.numbers ?? [], once?.numbers ?? [1], absolute: 1e-7) == nil)
  }
}
