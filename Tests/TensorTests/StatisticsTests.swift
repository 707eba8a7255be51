import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Vocabulary statistics")
struct StatisticsTests {
  @Test(
    "from slices equal those of whole rows",
    arguments: [[0, 300], [0, 1, 17, 100, 299, 300]]
  )
  func slices(bounds: [Int]) {
    var random = Random(seed: 1)
    let logits = random.normal([9, 300], deviation: 4)
    let reference = random.normal([9, 300], deviation: 4)
    let targets = (0..<9).map { $0 == 5 ? -1 : Int32(random.index(below: 300)) }
    var statistics = VocabularyStatistics(targets: targets)
    for (low, high) in zip(bounds, bounds.dropFirst()) {
      statistics.add(
        logits.columns(low..<high),
        at: low,
        reference: reference.columns(low..<high)
      )
    }
    let (q, p) = (Reference.logSoftmax(logits), Reference.logSoftmax(reference))
    var (losses, referenceLosses, divergences) = ([Double](), [Double](), [Double]())
    for row in 0..<9 {
      let target = Int(targets[row])
      losses.append(target < 0 ? .nan : -q[row * 300 + target])
      referenceLosses.append(target < 0 ? .nan : -p[row * 300 + target])
      divergences.append(
        (row * 300..<row * 300 + 300).reduce(0) { $0 + exp(p[$1]) * (p[$1] - q[$1]) }
      )
    }
    #expect(difference(statistics.losses(), losses, absolute: 2e-6) == nil)
    #expect(difference(statistics.referenceLosses(), referenceLosses, absolute: 2e-6) == nil)
    #expect(difference(statistics.divergences(), divergences, absolute: 1e-5) == nil)
    #expect(statistics.choices() == logits.largestColumns().elements(as: Int32.self))
    #expect(statistics.referenceChoices() == reference.largestColumns().elements(as: Int32.self))
  }

  @Test("of equal models diverge by nothing and agree")
  func equal() {
    var random = Random(seed: 2)
    let logits = random.normal([4, 1000], deviation: 10)
    var statistics = VocabularyStatistics(targets: [0, 1, 2, 3])
    statistics.add(logits, at: 0, reference: logits)
    #expect(difference(statistics.divergences(), [0, 0, 0, 0], absolute: 1e-9) == nil)
    #expect(statistics.choices() == statistics.referenceChoices())
  }

  @Test("leave masked tokens out, even a whole slice of them")
  func masked() {
    var statistics = VocabularyStatistics(targets: [2])
    let hidden = Tensor([-.infinity, -.infinity] as [Float], shape: [1, 2])
    statistics.add(hidden, at: 0)
    statistics.add(Tensor([1, 1] as [Float], shape: [1, 2]), at: 2)
    statistics.add(hidden, at: 4)
    #expect(difference(statistics.losses(), [log(2)], absolute: 1e-6) == nil)
    #expect(statistics.choices() == [2])
  }
}
