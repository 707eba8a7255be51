import TestSupport
import Testing

@testable import Tensor

@Suite("Buffer pool")
struct BufferPoolTests {
  private let large = 3 << 20

  @Test("hands a returned buffer out again")
  func reuse() {
    let pool = BufferPool()
    let first = pool.allocate(large)
    first.base.storeBytes(of: 7, as: UInt8.self)
    pool.release(first)
    #expect(pool.present == .init(used: 0, kept: large, mostUsed: large))
    // A little less has the same size class.
    let second = pool.allocate(large - 1000)
    #expect(second.base == first.base && pool.present.kept == 0)
    pool.release(second)
    pool.trim()
    #expect(pool.present == .init())
  }

  @Test("hands out a larger one where there is no room for another, and else does not")
  func larger() {
    let pool = BufferPool()
    let (first, second) = (pool.allocate(large), pool.allocate(large))
    pool.release(first)
    // The one in use and the kept one are the most there was.
    let smaller = pool.allocate(large / 2 + 1)
    #expect(smaller.base == first.base && smaller.size == large)
    pool.release(smaller)
    // Not what is to be kept for long, nor for one that is less than half as large: it makes room.
    let tight = pool.allocate(large / 2 + 1, isTight: true)
    #expect(tight.size < large && pool.present.kept == 0)
    pool.release(tight)
    pool.release(pool.allocate(large))
    let small = pool.allocate(large / 2 - (1 << 16))
    #expect(small.size < large && pool.present.kept == 0)
    pool.release(second)
    pool.release(small)
    let again = pool.allocate(large / 2 - (1 << 16))
    #expect(again.size == small.size)
    pool.release(again)
    #expect(pool.present.mostUsed == 2 * large)
    pool.trim()
  }

  @Test("never has more than was in use at a time")
  func limit() {
    let pool = BufferPool()
    var random = Random(seed: 1)
    var used: [BufferPool.Buffer] = []
    for _ in 0..<500 {
      if used.count > 5 || (!used.isEmpty && random.uniform() < 0.5) {
        pool.release(used.remove(at: Int(random.next() % UInt64(used.count))))
      } else {
        let size = (1 + Int(random.next() % 9)) << 20
        let buffer = pool.allocate(size)
        buffer.base.storeBytes(of: 1, toByteOffset: size - 1, as: UInt8.self)
        used.append(buffer)
      }
      let counts = pool.present
      #expect(counts.used + counts.kept <= counts.mostUsed)
      #expect(counts.used == used.reduce(0) { $0 + $1.size })
    }
    for buffer in used { pool.release(buffer) }
    pool.trim()
    #expect(pool.present.kept == 0)
  }

  @Test("leaves small buffers to malloc")
  func small() {
    let pool = BufferPool()
    let buffer = pool.allocate(1000)
    #expect(pool.present == .init())
    pool.release(buffer)
    #expect(pool.present == .init())
  }
}
