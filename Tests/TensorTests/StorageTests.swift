import Tensor
import TestSupport
import Testing

@Suite("Storage")
struct StorageTests {
  @Test("is copied on writing only if it is shared")
  func copyOnWrite() {
    var a = Tensor([1, 2, 3] as [Float])
    let before = a.withBytes { $0.baseAddress }
    a.withMutableElements(as: Float.self) { $0[0] = 5 }
    #expect(a.withBytes { $0.baseAddress } == before)
    let b = a
    a.withMutableElements(as: Float.self) { $0[1] = 7 }
    #expect(a.numbers == [5, 7, 3] && b.numbers == [5, 2, 3])
    var c = b
    c.add(b, scale: 2)
    #expect(c.numbers == [15, 6, 9] && b.numbers == [5, 2, 3])
  }

  @Test("of a view is part of the tensor's, and writing to it changes the view only")
  func views() {
    let whole = Tensor((0..<12).map { Float($0) }, shape: [3, 4])
    var part = whole.rows(1..<3)
    #expect(part.shape == [2, 4] && part.numbers == (4..<12).map { Double($0) })
    part.withMutableElements(as: Float.self) { $0[0] = -1 }
    #expect(whole.numbers[4] == 4 && part.numbers[0] == -1)
    #expect(whole.reshaped([2, 6]).rows(1..<2).numbers == [6, 7, 8, 9, 10, 11])
    #expect(whole.columns(1..<3).numbers == [1, 2, 5, 6, 9, 10])
    #expect(whole.gathered(rows: [2, 0, 2]).numbers == [8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
    #expect(whole.transposed().numbers == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    #expect(
      Tensor.concatenated([whole.rows(2..<3), whole.rows(0..<1)]).numbers
        == [8, 9, 10, 11, 0, 1, 2, 3]
    )
  }

  @Test("of large tensors is reused and never handed out twice")
  func pool() {
    for _ in 0..<3 {
      let tensors = (0..<3).map { Tensor(zeros: [40 << 20], dtype: .uint8).rows($0..<40 << 20) }
      let addresses = Set(tensors.map { tensor in tensor.withBytes { $0.baseAddress } })
      #expect(addresses.count == 3)
    }
  }

  @Test("transposes of any extents hold every element")
  func transposes() {
    var random = Random(seed: 1)
    for (rows, columns) in [(1, 1), (16, 16), (17, 33), (100, 3), (5, 200)] {
      let x = random.normal([rows, columns])
      let numbers = x.numbers
      let expected = (0..<rows * columns).map { numbers[$0 % rows * columns + $0 / rows] }
      #expect(x.transposed().numbers == expected)
    }
  }
}

@Suite("Parallel loops")
struct ParallelTests {
  @Test("cover every item once, from many threads at once and nested")
  func coverage() async {
    await withTaskGroup { group in
      for task in 0..<8 {
        group.addTask {
          for count in [0, 1, 7, 100, 4096 + task] {
            for grain in [1, 3, 1000] {
              let counts = Counts(count)
              parallelRanges(count, grain: grain) { range in
                parallelRanges(range.count) { part in
                  for index in part { counts.values[range.lowerBound + index] += 1 }
                }
              }
              #expect((0..<count).allSatisfy { counts.values[$0] == 1 })
            }
          }
        }
      }
    }
  }

  /// A buffer whose parts are written from different threads.
  private final class Counts: @unchecked Sendable {
    let values: UnsafeMutablePointer<Int>
    init(_ count: Int) {
      values = .allocate(capacity: count)
      values.initialize(repeating: 0, count: count)
    }
    deinit { values.deallocate() }
  }
}
