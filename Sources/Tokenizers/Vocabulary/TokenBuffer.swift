/// A growing list of token ids; the output of encoding.
struct TokenBuffer: ~Copyable {
  private(set) var pointer: UnsafeMutablePointer<Int32>
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int) {
    self.capacity = max(capacity, 16)
    pointer = .allocate(capacity: self.capacity)
  }

  deinit { pointer.deallocate() }

  @inline(__always)
  mutating func append(_ id: Int32) {
    if count == capacity { grow(by: 1) }
    pointer[count] = id
    count += 1
  }

  @inline(__always)
  mutating func append(_ ids: UnsafePointer<Int32>, count added: Int) {
    if count + added > capacity { grow(by: added) }
    for index in 0..<added { pointer[count + index] = ids[index] }
    count += added
  }

  private mutating func grow(by added: Int) {
    let larger = max(capacity * 2, count + added)
    let moved = UnsafeMutablePointer<Int32>.allocate(capacity: larger)
    moved.moveInitialize(from: pointer, count: count)
    pointer.deallocate()
    pointer = moved
    capacity = larger
  }

  /// The ids as an array.
  var array: [Int32] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
