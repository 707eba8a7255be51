internal import CKernels
internal import Foundation

/// Keeps large buffers for reuse, without using more memory than the computation itself.
///
/// A fresh buffer costs a page fault for every 4 KiB on first touch: 95 ms for 96 MB where writing
/// a kept one takes 6 ms, and 4 ms for 3.4 MB, the gradient of a 576 × 1536 matrix, as long as its
/// product. `malloc` maps and returns buffers of this size at every use, or, once its threshold
/// has adapted, leaves holes that go back to the system only from the end of the heap. So buffers
/// from 1 MiB on are mapped here, in pages of 2 MiB where the system has them (20 ms for 96 MB),
/// and returned exactly.
///
/// Used and kept bytes together never exceed the most that were in use at a time: before a
/// buffer is mapped that would exceed it, kept ones are given back. The pool thus adds at most what
/// buffers are larger than was asked for to the largest resident size of a computation;
/// ``trim()`` gives back what it has left over.
final class BufferPool: @unchecked Sendable {
  static let shared = BufferPool()

  /// Buffers from this size on are pooled.
  static let threshold = 1 << 20

  private let lock = NSLock()
  private var free: [Int: [UnsafeMutableRawPointer]] = [:]
  private var counts = Counts()

  /// Bytes of pooled buffers.
  struct Counts: Equatable {
    /// In use.
    var used = 0
    /// Kept for reuse.
    var kept = 0
    /// In use at most so far.
    var mostUsed = 0
  }

  /// The present numbers.
  var present: Counts { lock.withLock { counts } }

  /// Sizes are rounded up to a 64th of their power of two, so that similar ones share.
  ///
  /// Not more, since what is added is resident too where it shares a page of 2 MiB.
  static func sizeClass(_ byteCount: Int) -> Int {
    let step = 1 << max(0, Int.bitWidth - byteCount.leadingZeroBitCount - 7)
    return (byteCount + step - 1) / step * step
  }

  /// A piece of memory, which may be larger than was asked for.
  struct Buffer {
    let base: UnsafeMutableRawPointer
    let size: Int
  }

  /// Hands out a buffer of at least `byteCount` bytes; of their size class if `isTight`, as for what
  /// is kept for long.
  func allocate(_ byteCount: Int, isTight: Bool = false) -> Buffer {
    guard byteCount >= Self.threshold else {
      let size = max(byteCount, 1)
      return Buffer(base: .allocate(byteCount: size, alignment: Storage.alignment), size: size)
    }
    let size = Self.sizeClass(byteCount)
    return lock.withLock {
      if let kept = isTight ? taken(size) : reused(size) { return kept }
      counts.used += size
      counts.mostUsed = max(counts.mostUsed, counts.used)
      giveBack(keeping: counts.mostUsed - counts.used)
      return Buffer(base: Self.map(size), size: size)
    }
  }

  func release(_ buffer: Buffer) {
    guard buffer.size >= Self.threshold else { return buffer.base.deallocate() }
    lock.withLock {
      free[buffer.size, default: []].append(buffer.base)
      counts.used -= buffer.size
      counts.kept += buffer.size
    }
  }

  /// Takes a kept buffer of a size; or a larger one, up to twice as large, if otherwise kept ones
  /// would have to be given back to make room.
  private func reused(_ size: Int) -> Buffer? {
    if let kept = taken(size) { return kept }
    guard counts.used + counts.kept + size > counts.mostUsed else { return nil }
    let larger = free.filter { size...2 * size ~= $0.key && !$0.value.isEmpty }.keys.min()
    return larger.flatMap(taken)
  }

  private func taken(_ size: Int) -> Buffer? {
    guard let base = free[size]?.popLast() else { return nil }
    counts.used += size
    counts.kept -= size
    return Buffer(base: base, size: size)
  }

  /// Gives kept buffers back to the system, and forgets how much was in use.
  func trim() {
    lock.withLock {
      giveBack(keeping: 0)
      counts.mostUsed = counts.used
    }
  }

  /// Returns kept buffers, the largest first, until no more than `limit` bytes are kept.
  private func giveBack(keeping limit: Int) {
    guard counts.kept > limit else { return }
    for size in free.keys.sorted(by: >) {
      while counts.kept > limit, let base = free[size]?.popLast() {
        munmap(base, size)
        counts.kept -= size
      }
    }
  }

  private static func map(_ size: Int) -> UnsafeMutableRawPointer {
    let flags = MAP_PRIVATE | MAP_ANON
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED
    else { fail("out of memory: \(size) bytes") }
    #if os(Linux)
      madvise(base, size, MADV_HUGEPAGE)
    #endif
    return base
  }
}

/// Memory that tensors keep for reuse.
package enum TensorMemory {
  /// Gives kept memory back to the system: after training, say, before other work begins.
  package static func trim() { BufferPool.shared.trim() }

  /// Gives the pages back to the system that buffers below the pool's threshold have left unused
  /// between others that stay.
  ///
  /// What stays of a block is small, but it lies between large holes: without this a walk through a
  /// model of blocks of 12 MB grows by 0.85 MB a block.
  package static func closeGaps() { slm_close_gaps() }
}
