import Pipeline
import Tensor
import TestSupport
import Testing

@testable import Distill

@Suite("Distances of states")
struct StateDistanceTests {
  @Test(
    "are means over positions that count, and so are their gradients",
    arguments: StateDistance.allCases
  )
  func values(distance: StateDistance) {
    var random = Random(seed: 3)
    let states = Parameter("states", random.normal([5, 7], dtype: .float64))
    let teacher = random.normal([5, 7], dtype: .float64)
    let targets: [Int32] = [4, -1, 2, 0, -1]
    func expected(_ x: [Double]) -> Double {
      let t = teacher.numbers
      let rows = targets.indices.filter { targets[$0] >= 0 }.map { row in
        let (a, b) = (Array(x[row * 7..<row * 7 + 7]), Array(t[row * 7..<row * 7 + 7]))
        let dot = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
        let lengths = [a, b].map { $0.reduce(0) { $0 + $1 * $1 } }
        let squared = lengths[0] + lengths[1] - 2 * dot
        return switch distance {
        case .relative: squared / lengths[1]
        case .meanSquared: squared / 7
        case .cosine: 1 - dot / (lengths[0] * lengths[1]).squareRoot()
        }
      }
      return rows.reduce(0, +) / 3
    }
    let (value, gradients) = differentiate([states]) {
      distance.mean(states.value, teacher, targets: targets)
    }
    let numbers = states.value.numbers
    #expect(abs(value.scalar - expected(numbers)) < 1e-12)
    let measured = numbers.indices.map { index in
      var (up, down) = (numbers, numbers)
      up[index] += 1e-5
      down[index] -= 1e-5
      return (expected(up) - expected(down)) / 2e-5
    }
    #expect(difference(gradients[states]?.numbers ?? [], measured, absolute: 1e-8) == nil)
  }

  @Test("are nothing where nothing counts", arguments: StateDistance.allCases)
  func nothing(distance: StateDistance) {
    var random = Random(seed: 4)
    let (a, b) = (random.normal([2, 3]), random.normal([2, 3]))
    #expect(distance.mean(a, b, targets: [-1, -1]).scalar == 0)
  }
}

@Suite("Pairs of layers")
struct LayerMappingTests {
  @Test("are evenly spaced, the last for the last")
  func even() {
    let mapping = LayerMapping()
    #expect(mapping.pairs(student: 4, teacher: 8).map(\.teacher) == [1, 3, 5, 7])
    #expect(mapping.pairs(student: 3, teacher: 3).map(\.teacher) == [0, 1, 2])
    #expect(mapping.pairs(student: 3, teacher: 5).map(\.teacher).last == 4)
    #expect(mapping.pairs(student: 1, teacher: 30).map(\.teacher) == [29])
  }

  @Test("are what is given, and must be there")
  func given() {
    var mapping = LayerMapping()
    mapping.studentLayers = [0, 2]
    mapping.teacherLayers = [1, 5]
    #expect(mapping.pairs(student: 3, teacher: 6).map(\.student) == [0, 2])
    #expect(mapping.problems().isEmpty && mapping.check(student: 3, teacher: 6).isEmpty)
    #expect(mapping.check(student: 2, teacher: 6).map(\.option) == ["student_layers"])
    #expect(mapping.check(student: 3, teacher: 5).map(\.option) == ["teacher_layers"])
    mapping.teacherLayers = [5, 1]
    #expect(mapping.problems().map(\.option) == ["teacher_layers"])
    mapping.teacherLayers = [5]
    #expect(mapping.problems().map(\.option) == ["teacher_layers"])
  }
}
