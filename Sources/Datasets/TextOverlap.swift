/// Counts how much of a text occurs word for word in others.
///
/// Texts are compared in windows of 50 bytes, taken at every byte, with white space made one space
/// and ASCII letters made small, so that other line breaks hide nothing. Windows of few different
/// bytes, such as rules of dashes, do not count. Windows are compared by 64-bit hashes.
///
/// ```swift
/// var overlap = TextOverlap(of: try TextSource.builtinEvaluation.read())
/// overlap.add(try TextSource.builtinCalibration.read())
/// print(overlap.share, overlap.example ?? "")
/// ```
public struct TextOverlap: Sendable {
  /// The bytes of a window.
  public static let windowLength = 50
  /// The most of the text that is looked at, in bytes.
  public static let textLimit = 4 << 20
  private static let windowLimit = 1 << 20
  private static let leastDifferentBytes = 10

  /// The text as it is compared.
  private let text: [UInt8]
  /// Windows whose hash is no multiple of this are left out, of all texts alike.
  private let stride: UInt64
  /// Hashes by their last bits, 0 for a free place; and for each where its window begins, or the
  /// complement of that once it was seen.
  private var hashes: [UInt64]
  private var places: [Int32]
  /// How many different windows of the text are looked for.
  public private(set) var windowCount = 0
  /// How many of these were seen in other texts.
  public private(set) var seenCount = 0
  private var firstSeen = Int32.max

  /// Takes the text that should not occur in others.
  ///
  /// - Parameter text: The text, of which at most ``textLimit`` bytes are taken.
  /// - Complexity: O(bytes) time; at most 30 MB of memory.
  public init(of text: String) {
    var normalizer = Normalizer()
    var bytes: [UInt8] = []
    for byte in text.utf8.prefix(Self.textLimit) {
      if let byte = normalizer.next(byte) { bytes.append(byte) }
    }
    self.text = bytes
    let count = max(0, bytes.count - Self.windowLength + 1)
    stride = UInt64(max(1, (count + Self.windowLimit - 1) / Self.windowLimit))
    var capacity = 1 << 10
    while capacity < 2 * min(count, Self.windowLimit + Self.windowLimit / 4) { capacity *= 2 }
    hashes = Array(repeating: 0, count: capacity)
    places = Array(repeating: 0, count: capacity)
    var window = RollingWindow()
    for (index, byte) in bytes.enumerated() {
      guard let hash = window.push(byte), hash.isMultiple(of: stride),
        window.differentBytes >= Self.leastDifferentBytes
      else { continue }
      insert(hash, at: index + 1 - Self.windowLength)
    }
  }

  /// Looks for the text's windows in another text.
  ///
  /// - Complexity: O(bytes) time, no memory.
  public mutating func add(_ other: some StringProtocol) { add(bytes: other.utf8) }

  /// Looks for the text's windows in the UTF-8 bytes of another text.
  public mutating func add(bytes: some Sequence<UInt8>) {
    var normalizer = Normalizer()
    var window = RollingWindow()
    for byte in bytes {
      guard let byte = normalizer.next(byte), let hash = window.push(byte),
        hash.isMultiple(of: stride)
      else { continue }
      see(hash)
    }
  }

  /// The share of the text's windows that were seen in others, from 0 to 1.
  public var share: Double { windowCount > 0 ? Double(seenCount) / Double(windowCount) : 0 }

  /// The first part of the text that was seen in others, a window long; nil if none was.
  public var example: String? {
    guard firstSeen < .max else { return nil }
    let start = Int(firstSeen)
    return String(decoding: text[start..<start + Self.windowLength], as: UTF8.self)
      // A character that begins or ends outside the window.
      .trimmingReplacements
  }

  // MARK: - Table

  private mutating func insert(_ hash: UInt64, at place: Int) {
    var slot = Int(truncatingIfNeeded: hash) & (hashes.count - 1)
    while hashes[slot] != 0 {
      if hashes[slot] == hash { return }
      slot = (slot + 1) & (hashes.count - 1)
    }
    // The table is made for as many windows as a uniform hash leaves; a text made to break that
    // loses windows, not time.
    guard 4 * windowCount < 3 * hashes.count else { return }
    hashes[slot] = hash
    places[slot] = Int32(place)
    windowCount += 1
  }

  private mutating func see(_ hash: UInt64) {
    var slot = Int(truncatingIfNeeded: hash) & (hashes.count - 1)
    while hashes[slot] != 0 {
      if hashes[slot] == hash {
        let place = places[slot]
        if place >= 0 {
          places[slot] = ~place
          seenCount += 1
          firstSeen = min(firstSeen, place)
        }
        return
      }
      slot = (slot + 1) & (hashes.count - 1)
    }
  }

  // MARK: - Bytes

  /// Makes white space one space and letters small.
  private struct Normalizer {
    private var isAfterSpace = true

    mutating func next(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 0x09...0x0D, 0x20:
        defer { isAfterSpace = true }
        return isAfterSpace ? nil : 0x20
      case 0x41...0x5A:
        isAfterSpace = false
        return byte + 0x20
      default:
        isAfterSpace = false
        return byte
      }
    }
  }

  /// The last bytes and a hash of them that follows from the one before.
  private struct RollingWindow {
    private var bytes = [UInt8](repeating: 0, count: windowLength)
    private var counts = [UInt8](repeating: 0, count: 256)
    private var position = 0
    private var pushed = 0
    private var sum: UInt64 = 0
    /// How many different bytes are in the window.
    private(set) var differentBytes = 0

    private static let factor: UInt64 = 0x5851_F42D_4C95_7F2D
    private static let outgoing = (0..<windowLength).reduce(UInt64(1)) { power, _ in
      power &* factor
    }

    /// Returns the hash of the last bytes, never 0; nil until there are enough.
    mutating func push(_ byte: UInt8) -> UInt64? {
      let old = bytes[position]
      if pushed >= windowLength {
        counts[Int(old)] -= 1
        if counts[Int(old)] == 0 { differentBytes -= 1 }
      }
      if counts[Int(byte)] == 0 { differentBytes += 1 }
      counts[Int(byte)] += 1
      // Bytes count from 1, or leading zeros would not.
      let leaving = pushed >= windowLength ? UInt64(old) + 1 : 0
      sum = sum &* Self.factor &+ UInt64(byte) &+ 1 &- leaving &* Self.outgoing
      bytes[position] = byte
      position = position + 1 == windowLength ? 0 : position + 1
      pushed += 1
      guard pushed >= windowLength else { return nil }
      // The last bits of the sum depend on the last bits of bytes only.
      var hash = (sum ^ (sum >> 31)) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
      return hash == 0 ? 1 : hash
    }
  }
}

extension String {
  /// Without the marks that stand for broken characters at either end, and white space there.
  fileprivate var trimmingReplacements: String {
    var text = Substring(self)
    while let first = text.first, first == "\u{FFFD}" || first.isWhitespace { text.removeFirst() }
    while let last = text.last, last == "\u{FFFD}" || last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
