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
    first.storeBytes(of: 7, as: UInt8.self)
    pool.release(first, large)
    #expect(pool.present == .init(used: 0, kept: large, mostUsed: large))
    // A little less has the same size class.
    let second = pool.allocate(large - 1000)
    #expect(second == first && pool.present.kept == 0)
    pool.release(second, large - 1000)
    pool.trim()
    #expect(pool.present == .init())
  }

  @Test("never has more than was in use at a time")
  func limit() {
    let pool = BufferPool()
    var random = Random(seed: 1)
    var used: [(UnsafeMutableRawPointer, Int)] = []
    for _ in 0..<500 {
      if used.count > 5 || (!used.isEmpty && random.uniform() < 0.5) {
        let (base, size) = used.remove(at: Int(random.next() % UInt64(used.count)))
        pool.release(base, size)
      } else {
        let size = (1 + Int(random.next() % 9)) << 20
        let base = pool.allocate(size)
        base.storeBytes(of: 1, toByteOffset: size - 1, as: UInt8.self)
        used.append((base, size))
      }
      let counts = pool.present
      #expect(counts.used + counts.kept <= counts.mostUsed)
      #expect(counts.used == used.reduce(0) { $0 + BufferPool.sizeClass($1.1) })
    }
    for (base, size) in used { pool.release(base, size) }
    pool.trim()
    #expect(pool.present.kept == 0)
  }

  @Test("leaves small buffers to malloc")
  func small() {
    let pool = BufferPool()
    let base = pool.allocate(1000)
    #expect(pool.present == .init())
    pool.release(base, 1000)
    #expect(pool.present == .init())
  }
}
