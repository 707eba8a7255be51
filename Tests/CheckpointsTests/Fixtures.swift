import Foundation
import Glibc
import Tensor
import Testing

@testable import Checkpoints

/// Files made by the reference writers; see Tests/Golden/checkpoints.py.
let goldenFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().appending(path: "Golden/checkpoints").path

func golden(_ name: String) -> String { "\(goldenFolder)/\(name)" }

/// The bytes of the `index`-th golden tensor.
func pattern(_ index: Int, count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + 7 * index) }
}

/// Where all tests of a run write; removed when the process ends.
private let temporaryRoot: String = {
  let root = FileManager.default.temporaryDirectory.appending(path: "checkpoints-\(getpid())").path
  atexit { try? FileManager.default.removeItem(atPath: temporaryRoot) }
  return root
}()

/// A new folder for a test.
///
/// It stays until the end of the run: an optimizer may end an object's life at its last use,
/// while files in the folder are still read.
struct TemporaryFolder {
  let path: String

  init() throws {
    path = "\(temporaryRoot)/\(UInt64.random(in: 0...UInt64.max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file and returns its path.
  ///
  /// Not by Foundation, which waits for the disk every time.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let path = file(name)
    if name.contains("/") {
      try FileManager.default.createDirectory(
        at: URL(filePath: path).deletingLastPathComponent(),
        withIntermediateDirectories: true
      )
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    defer { close(descriptor) }
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    return path
  }

  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}

func readBytes(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// A safetensors file with this header and so many bytes of data.
func safetensors(_ header: String, dataByteCount: Int = 0, padded: Bool = true) -> [UInt8] {
  var text = Array(header.utf8)
  while padded && text.count % 8 != 0 { text.append(0x20) }
  return littleEndian(UInt64(text.count)) + text + pattern(0, count: dataByteCount)
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// The bytes of a tensor.
func bytes(of tensor: Tensor) -> [UInt8] { tensor.withBytes { Array($0) } }

/// A tensor of any dtype with these bytes.
func tensor(_ bytes: [UInt8], _ dtype: DType, shape: Shape) -> Tensor {
  let result = Tensor(uninitialized: shape, dtype: dtype)
  UnsafeMutableRawBufferPointer(start: result.unsafeBase, count: result.byteCount)
    .copyBytes(from: bytes)
  return result
}

/// A small generator of reproducible random numbers (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
