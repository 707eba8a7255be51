/// Remembers the tokens of words already seen, in bounded memory.
///
/// A word of up to 15 bytes is its own key: its bytes and length fill 128 bits, so a hit costs
/// one hash, one probe and no byte comparison. Longer words up to ``lengthLimit`` keep their
/// bytes in an arena. When a table or arena is full, everything is forgotten and refilled;
/// a text whose words repeat at all refills quickly, and no bookkeeping slows down a hit.
struct WordCache: ~Copyable {
  private struct Slot {
    /// Of a short word, bytes 0 to 7; of a long one, its hash.
    var low: UInt64
    /// Of a short word, bytes 8 to 14 and, on top, the length; zero in a free slot.
    ///
    /// Of a long word, 255 on top, then the length and the place of its bytes.
    var high: UInt64
    var start: UInt32
    var count: UInt32
  }

  /// Longer words are merged each time.
  static let lengthLimit = 128
  private static let slotBits: UInt64 = 16
  private static let wordLimit = 1 << 15
  private static let tokenLimit = 1 << 20
  private static let byteLimit = 1 << 20

  private let slots: UnsafeMutablePointer<Slot>
  private let tokens: UnsafeMutablePointer<Int32>
  private let bytes: UnsafeMutablePointer<UInt8>
  private var wordCount = 0
  private var tokenCount = 0
  private var byteCount = 0

  init() {
    slots = .allocate(capacity: 1 << Self.slotBits)
    slots.initialize(
      repeating: .init(low: 0, high: 0, start: 0, count: 0),
      count: 1 << Self.slotBits
    )
    tokens = .allocate(capacity: Self.tokenLimit)
    bytes = .allocate(capacity: Self.byteLimit)
  }

  deinit {
    slots.deallocate()
    tokens.deallocate()
    bytes.deallocate()
  }

  /// The key of a word.
  struct Key {
    let low: UInt64
    let high: UInt64
    var isLong: Bool { high == 0 }
  }

  /// The key of `text[start..<end]`, whose length is from 1 to ``lengthLimit``.
  @inline(__always)
  static func key(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Key {
    let length = end - start
    guard length <= 15 else {
      return .init(low: byteHash(.init(rebasing: text[start..<end])), high: 0)
    }
    var low: UInt64 = 0
    var high: UInt64 = 0
    if start + 16 <= text.count, let base = UnsafeRawPointer(text.baseAddress) {
      low = base.loadUnaligned(fromByteOffset: start, as: UInt64.self)
      if length <= 8 {
        low &= UInt64.max &>> UInt64((8 - length) * 8)
      } else {
        high = base.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
        high &= UInt64.max &>> UInt64((16 - length) * 8)
      }
    } else {
      for index in 0..<min(length, 8) { low |= UInt64(text[start + index]) << UInt64(index * 8) }
      for index in 8..<max(length, 8) {
        high |= UInt64(text[start + index]) << UInt64((index - 8) * 8)
      }
    }
    return .init(low: low, high: high | UInt64(length) << 56)
  }

  @inline(__always)
  private static func slot(_ key: Key) -> Int {
    var hash = (key.low ^ (key.high &* 0xD6E8_FEB8_6659_FD93)) &* 0x9E37_79B9_7F4A_7C15
    hash ^= hash >> 32
    return Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) &>> (64 - slotBits))
  }

  /// Appends the tokens of a word to `output`, or returns false if it is not remembered.
  @inline(__always)
  func append(
    _ key: Key,
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int,
    to output: inout TokenBuffer
  ) -> Bool {
    var index = Self.slot(key)
    while true {
      let slot = slots[index]
      if slot.high == 0 { return false }
      if slot.low == key.low {
        if slot.high == key.high || (key.isLong && isEqual(slot, text, start, end)) {
          output.append(tokens + Int(slot.start), count: Int(slot.count))
          return true
        }
      }
      index = (index + 1) & (1 << Int(Self.slotBits) - 1)
    }
  }

  private func isEqual(
    _ slot: Slot,
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int
  ) -> Bool {
    guard slot.high >> 56 == 255, Int(slot.high >> 32 & 0xFF_FFFF) == end - start else {
      return false
    }
    let place = Int(slot.high & 0xFFFF_FFFF)
    for index in 0..<(end - start) where bytes[place + index] != text[start + index] {
      return false
    }
    return true
  }

  /// Remembers that the tokens from `first` to the end of `output` are those of a word.
  mutating func insert(
    _ key: Key,
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int,
    tokensFrom first: Int,
    of output: borrowing TokenBuffer
  ) {
    let count = output.count - first
    if wordCount == Self.wordLimit || tokenCount + count > Self.tokenLimit
      || byteCount + (end - start) > Self.byteLimit
    {
      forget()
    }
    guard count <= Self.tokenLimit else { return }
    var high = key.high
    if key.isLong {
      high = 255 << 56 | UInt64(end - start) << 32 | UInt64(byteCount)
      for index in start..<end { bytes[byteCount + index - start] = text[index] }
      byteCount += end - start
    }
    var index = Self.slot(key)
    while slots[index].high != 0 { index = (index + 1) & (1 << Int(Self.slotBits) - 1) }
    slots[index] = .init(
      low: key.low,
      high: high,
      start: UInt32(tokenCount),
      count: UInt32(count)
    )
    for offset in 0..<count { tokens[tokenCount + offset] = output.pointer[first + offset] }
    tokenCount += count
    wordCount += 1
  }

  private mutating func forget() {
    slots.update(
      repeating: .init(low: 0, high: 0, start: 0, count: 0),
      count: 1 << Int(Self.slotBits)
    )
    wordCount = 0
    tokenCount = 0
    byteCount = 0
  }
}
