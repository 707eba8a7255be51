/// A map from 64-bit keys to 64-bit values with open addressing.
///
/// A key is two ids, the left one in the upper half; what a value means is the user's choice.
struct PairTable: Sendable {
  /// No two ids make this key, because ids are never negative.
  private static let free = UInt64.max
  /// Returned for a key that is not in the table.
  static let absent = UInt64.max

  /// A key and its value alternate, so that one probe touches one cache line.
  private var cells: [UInt64]
  private var shift: UInt64
  private(set) var count = 0

  init(capacity: Int) {
    var bits: UInt64 = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    shift = 64 - bits
    cells = .init(repeating: Self.free, count: 2 << Int(bits))
  }

  @inline(__always)
  static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The value of `key`, or ``absent``.
  @inline(__always)
  subscript(_ key: UInt64) -> UInt64 {
    cells.withUnsafeBufferPointer { cells in
      let mask = cells.count / 2 - 1
      var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
      while true {
        let found = cells[slot * 2]
        if found == key { return cells[slot * 2 + 1] }
        if found == Self.free { return Self.absent }
        slot = (slot + 1) & mask
      }
    }
  }

  /// Sets the value of `key`, replacing an earlier one.
  mutating func insert(_ key: UInt64, _ value: UInt64) {
    if (count + 1) * 4 > cells.count { grow() }
    let mask = cells.count / 2 - 1
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
    while cells[slot * 2] != Self.free && cells[slot * 2] != key { slot = (slot + 1) & mask }
    if cells[slot * 2] == Self.free { count += 1 }
    cells[slot * 2] = key
    cells[slot * 2 + 1] = value
  }

  private mutating func grow() {
    let old = cells
    cells = .init(repeating: Self.free, count: old.count * 2)
    shift -= 1
    count = 0
    for slot in 0..<(old.count / 2) where old[slot * 2] != Self.free {
      insert(old[slot * 2], old[slot * 2 + 1])
    }
  }
}
