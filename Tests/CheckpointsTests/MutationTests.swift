import Foundation
import Tensor
import Testing

@testable import Checkpoints

/// Files damaged at random: they open or throw, but never trap, hang or take much memory.
@Suite("Damaged files", .serialized)
struct MutationTests {
  /// How many damaged copies of each file are tried.
  static let count =
    ProcessInfo.processInfo.environment["SLM_MUTATIONS"].flatMap { Int($0) } ?? 1500

  static func small(_ name: String) throws -> [UInt8] {
    switch name {
    case "safetensors": return try readBytes(golden("types.safetensors"))
    case "index": return try readBytes(golden("sharded/model.safetensors.index.json"))
    case "gguf": return try readBytes(golden("types.gguf"))
    default:
      return GGUFReadingTests.file(
        metadata: [
          GGUFReadingTests.key("a", 8, GGUFReadingTests.text("b")),
          GGUFReadingTests.key(
            "n",
            9,
            littleEndian(UInt32(9)) + littleEndian(UInt64(1)) + littleEndian(UInt32(8))
              + littleEndian(UInt64(2)) + GGUFReadingTests.text("x") + GGUFReadingTests.text("")
          ),
        ],
        infos: [
          GGUFReadingTests.info("a", [8, 1]),
          GGUFReadingTests.info("b", [256, 2], type: 12, offset: 32),
        ],
        data: 32 + 288
      )
    }
  }

  static func mutated(_ original: [UInt8], header: Int, _ random: inout SeededRandom) -> [UInt8] {
    var bytes = original
    let edits = Int.random(in: 1...3, using: &random)
    for _ in 0..<edits where bytes.count > 8 {
      // Mostly in the header, where damage can do harm.
      let limit = Bool.random(using: &random) ? min(header, bytes.count) : bytes.count
      let place = Int.random(in: 0..<limit, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        bytes.removeSubrange(place...)
      case 1, 2:
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 3:
        bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 4:
        let lies: [UInt64] = [
          .max, .max - 7, 1 << 63, 1 << 62, 1 << 32, UInt64(bytes.count),
          UInt64(bytes.count) - 8, 0,
        ]
        let lie = littleEndian(lies.randomElement(using: &random) ?? 0)
        for (index, byte) in lie.enumerated() where place + index < bytes.count {
          bytes[place + index] = byte
        }
      case 5:
        let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
        bytes.removeSubrange(place..<end)
      case 6:
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, start + Int.random(in: 1...80, using: &random))
        bytes.insert(contentsOf: bytes[start..<end], at: place)
      default:
        let digits = Array("0123456789[]{}\",:-.e\\u".utf8)
        bytes[place] = digits.randomElement(using: &random) ?? 0
      }
    }
    return bytes
  }

  /// Opens a file and touches everything in it.
  static func readEverything(_ kind: String, _ path: String) throws(CheckpointError) -> Int {
    let source: any TensorSource
    switch kind {
    case "safetensors": source = try SafetensorsFile(path: path)
    case "index": source = try ShardedSafetensors(indexPath: path)
    default:
      let file = try GGUFFile(path: path)
      for key in file.metadata.keys {
        guard let array = file.metadata[key]?.array else { continue }
        _ = (array.strings, array.integers, array.reals, array.bools, array.arrays?.count)
      }
      source = file
    }
    var sum = 0
    for entry in source.entries {
      do throws(CheckpointError) {
        sum &+= bytes(of: try source.bytes(entry.name)).reduce(0) { $0 &+ Int($1) }
        sum &+= try source.tensor(entry.name).byteCount
      } catch {
        if error.code != .unsupported { throw error }
      }
    }
    return sum
  }

  @Test("open or throw", arguments: ["safetensors", "index", "gguf", "small gguf"])
  func damaged(_ kind: String) throws {
    let folder = try TemporaryFolder()
    let original = try Self.small(kind)
    let header = kind == "gguf" ? 3000 : kind == "safetensors" ? 1200 : original.count
    let name = kind == "index" ? "model.safetensors.index.json" : "x"
    for shard in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
      try folder.write(try readBytes(golden("sharded/\(shard)")), to: shard)
    }
    #expect(try Self.readEverything(kind, folder.write(original, to: name)) > 0)
    let before = peakByteCount()
    var (opened, refused) = (0, 0)
    var codes: Set<CheckpointError.Code> = []
    for seed in 0..<Self.count {
      var random = SeededRandom(seed: UInt64(seed))
      let damaged = Self.mutated(original, header: header, &random)
      let path = try folder.write(damaged, to: "\(seed).\(name)")
      defer { unlink(path) }
      do throws(CheckpointError) {
        _ = try Self.readEverything(kind, path)
        opened += 1
      } catch {
        codes.insert(error.code)
        refused += 1
      }
    }
    // Other tests run meanwhile in the same process; a size believed would be gigabytes.
    #expect(peakByteCount() - before < 512 << 20)
    // Both must occur, or the damage is too little or too much to test anything.
    #expect(opened > Self.count / 100, "\(opened) opened")
    #expect(refused > Self.count / 4, "\(refused) refused")
    #expect(codes.count >= 2)
  }

  @Test("truncated anywhere", arguments: ["safetensors", "small gguf"])
  func truncated(_ kind: String) throws {
    let folder = try TemporaryFolder()
    let original = try Self.small(kind)
    for count in 0..<original.count {
      let path = try folder.write(Array(original.prefix(count)), to: "x\(count)")
      #expect(throws: CheckpointError.self) { try Self.readEverything(kind, path) }
    }
  }
}

/// The most memory this process ever used, in bytes.
func peakByteCount() -> Int {
  let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
  return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    .map { $0 * 1024 } ?? 0
}
