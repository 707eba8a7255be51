/// The tokens of a vocabulary: id to bytes, and bytes to id.
///
/// Tokens are compared byte by byte, never by canonical equivalence as `String` would.
struct TokenTable: Sendable {
  /// All tokens' bytes, one after another in the order they were added.
  private(set) var bytes: [UInt8] = []
  private var starts: [Int] = []
  private var lengths: [Int32] = []
  /// The ids in open addressing, -1 for a free slot; the size is a power of two.
  private var slots: [Int32] = []

  /// The number of tokens.
  private(set) var count = 0

  /// One more than the largest id.
  var idLimit: Int { starts.count }

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = .init(repeating: -1, count: size)
  }

  func contains(id: Int) -> Bool { id >= 0 && id < lengths.count && lengths[id] >= 0 }

  /// The bytes of a token, or nil if no token has this id.
  subscript(id: Int) -> ArraySlice<UInt8>? {
    contains(id: id) ? bytes[starts[id]..<(starts[id] + Int(lengths[id]))] : nil
  }

  /// The token as text, or nil if no token has this id.
  func string(_ id: Int) -> String? {
    self[id].map { String(decoding: $0, as: UTF8.self) }
  }

  /// The id of a token, or nil if there is none with these bytes.
  @inline(__always)
  func id(_ token: UnsafeBufferPointer<UInt8>) -> Int32? {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash(token)) & mask
    while true {
      let id = slots[slot]
      if id < 0 { return nil }
      if isEqual(Int(id), token) { return id }
      slot = (slot + 1) & mask
    }
  }

  func id(_ token: some Sequence<UInt8>) -> Int32? {
    ContiguousArray(token).withUnsafeBufferPointer { id($0) }
  }

  func id(_ token: String) -> Int32? { id(token.utf8) }

  /// Adds a token; returns false, changing nothing, if its bytes or its id are taken.
  mutating func insert(_ token: some Sequence<UInt8>, id: Int) -> Bool {
    let token = ContiguousArray(token)
    guard !contains(id: id), self.id(token) == nil else { return false }
    while starts.count <= id {
      starts.append(0)
      lengths.append(-1)
    }
    starts[id] = bytes.count
    lengths[id] = Int32(token.count)
    bytes.append(contentsOf: token)
    count += 1
    if count * 2 > slots.count { grow() } else { place(Int32(id)) }
    return true
  }

  private mutating func place(_ id: Int32) {
    let mask = slots.count - 1
    let start = starts[Int(id)]
    let hash = bytes.withUnsafeBufferPointer {
      self.hash(.init(rebasing: $0[start..<(start + Int(lengths[Int(id)]))]))
    }
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] >= 0 { slot = (slot + 1) & mask }
    slots[slot] = id
  }

  private mutating func grow() {
    slots = .init(repeating: -1, count: slots.count * 2)
    for id in 0..<starts.count where lengths[id] >= 0 { place(Int32(id)) }
  }

  @inline(__always)
  private func isEqual(_ id: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
    guard Int(lengths[id]) == token.count else { return false }
    return bytes.withUnsafeBufferPointer { all in
      let start = starts[id]
      for index in 0..<token.count where all[start + index] != token[index] { return false }
      return true
    }
  }

  @inline(__always)
  private func hash(_ token: UnsafeBufferPointer<UInt8>) -> UInt64 { byteHash(token) }
}

/// A hash of some bytes for tables that compare the bytes afterwards.
@inline(__always)
func byteHash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
  var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
  var position = 0
  let base = UnsafeRawPointer(bytes.baseAddress)
  if let base {
    while position + 8 <= bytes.count {
      let word = base.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD
      hash ^= hash >> 32
      position += 8
    }
  }
  while position < bytes.count {
    hash = (hash ^ UInt64(bytes[position])) &* 0x100_0000_01B3
    position += 1
  }
  hash ^= hash >> 29
  hash = hash &* 0xC4CE_B9FE_1A85_EC53
  return hash ^ (hash >> 32)
}
