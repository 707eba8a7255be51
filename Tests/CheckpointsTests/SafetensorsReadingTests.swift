import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Reading safetensors")
struct SafetensorsReadingTests {
  /// The order in which the golden file was made.
  static let types: [DType] = [
    .float64, .float32, .float16, .bfloat16, .float8E4M3, .float8E5M2, .int64, .int32, .int16,
    .int8, .uint64, .uint32, .uint16, .uint8, .bool,
  ]

  @Test("gives every dtype's bytes, without copying", arguments: Array(types.enumerated()))
  func everyType(_ index: Int, _ dtype: DType) throws {
    let file = try SafetensorsFile(path: golden("types.safetensors"))
    let tensor = try file.tensor("\(index)")
    #expect(tensor.dtype == dtype)
    #expect(tensor.shape == [2, 3])
    let count = 6 * dtype.byteCount
    let expected = dtype == .bool ? [0, 1, 0, 1, 0, 1] : pattern(index, count: count)
    #expect(bytes(of: tensor) == expected)
    let raw = try file.bytes("\(index)")
    #expect(raw.dtype == .uint8 && raw.shape == [2, 3 * dtype.byteCount])
    #expect(bytes(of: raw) == expected)
    let entry = try #require(file.entry("\(index)"))
    file.file.withBytes { whole in
      let start = whole.baseAddress.map { $0 + entry.byteRange.lowerBound }
      #expect(UnsafeRawPointer(tensor.unsafeBase) == start)
    }
  }

  @Test("gives scalars, empty tensors and metadata")
  func rest() throws {
    let file = try SafetensorsFile(path: golden("types.safetensors"))
    #expect(try file.tensor("scalar").elements(as: Float.self) == [1.5])
    #expect(file.entry("scalar")?.shape == [])
    #expect(try file.tensor("empty").shape == [0, 4])
    #expect(file.metadata == ["format": "pt", "naïve": "“é”\n"])
    #expect(file.entries.count == 17)
    let starts = file.entries.map(\.byteRange.lowerBound)
    #expect(starts == starts.sorted())
  }

  @Test("keeps the mapping alive as long as a tensor")
  func lifetime() throws {
    let tensor = try SafetensorsFile(path: golden("types.safetensors")).tensor("scalar")
    #expect(tensor.elements(as: Float.self) == [1.5])
  }

  @Test("refuses types that cannot be read only when they are read")
  func unsupported() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      safetensors(
        #"{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"#
          + #""b":{"dtype":"NEW","shape":[3],"data_offsets":[2,7]},"#
          + #""c":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}}"#,
        dataByteCount: 8
      ),
      to: "x.safetensors"
    )
    let file = try SafetensorsFile(path: path)
    #expect(bytes(of: try file.tensor("c")) == pattern(0, count: 8).suffix(1))
    #expect(bytes(of: try file.bytes("b")) == Array(pattern(0, count: 8)[2..<7]))
    let error = #expect(throws: CheckpointError.self) { try file.tensor("a") }
    #expect(error?.code == .unsupported)
    #expect(error?.name == "a")
    #expect(error?.description.contains("F4") == true)
    #expect(#expect(throws: CheckpointError.self) { try file.tensor("b") }?.code == .unsupported)
  }

  @Test("names the nearest tensors when one is missing")
  func missing() throws {
    let file = try SafetensorsFile(path: golden("types.safetensors"))
    let error = #expect(throws: CheckpointError.self) { try file.tensor("scaler") }
    #expect(error?.code == .missingTensor)
    #expect(error?.problem.contains("nearest: scalar") == true)
    #expect(error?.description.split(separator: "\n").count == 3)
  }

  @Test(
    "accepts what the reference accepts",
    arguments: [
      safetensors("{}"),
      safetensors("{} \n\t"),
      safetensors(#"{"__metadata__":{}}"#),
      safetensors(#"{"a":{"shape":[],"data_offsets":[0,1],"dtype":"I8"}}"#, dataByteCount: 1),
      safetensors(
        #"{"\u0061\ud83d\ude00":{"dtype":"I8","shape":[0],"data_offsets":[0,0],"new":[1.5e3,null]}}"#
      ),
      // Not aligned to the size of an element, and not in the order of the data.
      safetensors(
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"#
          + #""b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
        dataByteCount: 5,
        padded: false
      ),
    ]
  )
  func accepted(_ bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(path: folder.write(bytes, to: "x.safetensors"))
    for entry in file.entries { _ = try file.tensor(entry.name) }
  }

  struct Broken: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var code = CheckpointError.Code.malformed

    init(_ name: String, _ bytes: [UInt8], _ code: CheckpointError.Code = .malformed) {
      (self.testDescription, self.bytes, self.code) = (name, bytes, code)
    }

    static func header(
      _ name: String,
      _ header: String,
      data: Int = 8,
      _ code: CheckpointError.Code = .malformed
    ) -> Broken {
      Broken(name, safetensors(header, dataByteCount: data), code)
    }
  }

  static let entry = #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
  static let broken: [Broken] = [
    Broken("empty file", [], .truncated),
    Broken("seven bytes", [1, 2, 3, 4, 5, 6, 7], .truncated),
    Broken("no header", littleEndian(UInt64(0))),
    Broken("header past the end", littleEndian(UInt64(9)) + Array("{}".utf8), .truncated),
    Broken("header of 2^63 bytes", littleEndian(UInt64.max) + Array("{}".utf8)),
    Broken("header above the limit", littleEndian(UInt64(100_000_001)) + Array("{}".utf8)),
    .header("space first", " {}", data: 0),
    .header("array", "[]", data: 0),
    .header("text after the end", #"{"a":\#(entry)} x"#),
    .header("unfinished", #"{"a":\#(entry)"#),
    .header("trailing comma", #"{"a":\#(entry),}"#),
    .header("duplicate tensor", #"{"a":\#(entry),"a":\#(entry)}"#),
    .header("duplicate by escape", #"{"a":\#(entry),"\u0061":\#(entry)}"#),
    .header(
      "duplicate field",
      #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    ),
    .header("no dtype", #"{"a":{"shape":[2],"data_offsets":[0,8]}}"#),
    .header("no shape", #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#),
    .header("no offsets", #"{"a":{"dtype":"F32","shape":[2]}}"#),
    .header("one offset", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}"#),
    .header("three offsets", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}"#),
    .header("negative offset", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#),
    .header("fraction", #"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#),
    .header("exponent", #"{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}"#),
    .header("leading zero", #"{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#),
    .header("number as text", #"{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}"#),
    .header(
      "offset above 2^63",
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}"#
    ),
    .header("reversed offsets", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#),
    .header(
      "past the end",
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
      .truncated
    ),
    .header("too few bytes", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#),
    .header("too many bytes", #"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}}"#),
    .header("half a byte", #"{"a":{"dtype":"F4","shape":[15],"data_offsets":[0,8]}}"#),
    .header(
      "extents overflow",
      #"{"a":{"dtype":"I8","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#
    ),
    .header(
      "extents overflow beside a zero",
      #"{"a":{"dtype":"I8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}"#,
      data: 0
    ),
    .header(
      "bits overflow",
      #"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,8]}}"#
    ),
    .header(
      "overlap",
      #"{"a":\#(entry),"b":{"dtype":"I8","shape":[4],"data_offsets":[4,8]}}"#
    ),
    .header("same bytes", #"{"a":\#(entry),"b":\#(entry)}"#),
    .header(
      "gap",
      #"{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"#
        + #""b":{"dtype":"I8","shape":[4],"data_offsets":[4,8]}}"#
    ),
    .header("bytes before", #"{"b":{"dtype":"I8","shape":[4],"data_offsets":[4,8]}}"#),
    .header("bytes after", #"{"b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}}"#),
    .header(
      "too many elements of no known size",
      #"{"a":{"dtype":"NEW","shape":[4611686018427387904],"data_offsets":[0,8]}}"#
    ),
    .header("metadata not text", #"{"__metadata__":{"a":1}}"#, data: 0),
    .header("tensor not an object", #"{"a":1}"#, data: 0),
    .header("unknown escape", #"{"\x":1}"#, data: 0),
    .header("half a surrogate pair", #"{"__metadata__":{"a":"\ud83d"}}"#, data: 0),
    .header("two first halves", #"{"__metadata__":{"a":"\ud83d\ud83d"}}"#, data: 0),
    .header("newline in text", "{\"__metadata__\":{\"a\":\"\n\"}}", data: 0),
    .header("nested too deeply", #"{"a":{"b":\#(String(repeating: "[", count: 100_000))}}"#),
    .header(
      "too many axes",
      #"{"a":{"dtype":"I8","shape":[\#(String(repeating: "1,", count: 99))1],"data_offsets":[0,1]}}"#
    ),
    Broken(
      "not UTF-8",
      littleEndian(UInt64(24)) + Array("{\"__metadata__\":{\"".utf8) + [0xFF]
        + Array("\":\"\"}}".utf8)
    ),
    Broken(
      "not UTF-8 beside an escape",
      littleEndian(UInt64(26)) + Array("{\"__metadata__\":{\"\\n".utf8) + [0xC0]
        + Array("\":\"\"}}".utf8)
    ),
  ]

  @Test("refuses", arguments: broken)
  func refused(_ broken: Broken) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(broken.bytes, to: "x.safetensors")
    let error = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
    #expect(error?.code == broken.code, "\(error?.description ?? "")")
    #expect(error?.file == path)
    #expect(error?.byteOffset != nil)
  }

  @Test("says where a header breaks")
  func offset() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      safetensors(#"{"a":{"dtype":"F32","shape":[x]}}"#),
      to: "x.safetensors"
    )
    let error = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
    #expect(error?.byteOffset == 8 + 29)
  }

  @Test("refuses what is not a regular file", arguments: ["/dev/null", "/tmp", "/nowhere/x"])
  func special(_ path: String) {
    let error = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
    #expect(error?.code == (path == "/nowhere/x" ? .notFound : .unreadable))
  }

  @Test("opens ten gigabytes in an instant")
  func huge() throws {
    let folder = try TemporaryFolder()
    let (rows, columns) = (1_000_000, 2560)
    let header =
      #"{"a":{"dtype":"F32","shape":[\#(rows),\#(columns)],"#
      + #""data_offsets":[0,\#(rows * columns * 4)]}}"#
    let path = try folder.write(safetensors(header), to: "huge.safetensors")
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    let size = try readBytes(path).count + rows * columns * 4
    try handle.truncate(atOffset: UInt64(size))
    try handle.close()
    let before = residentByteCount()
    let elapsed = try ContinuousClock().measure {
      let tensor = try SafetensorsFile(path: path).tensor("a")
      #expect(tensor.rows(999_999..<1_000_000).elements(as: Float.self).allSatisfy { $0 == 0 })
    }
    #expect(elapsed < .seconds(1))
    #expect(residentByteCount() - before < 32 << 20)
  }
}

/// The memory of this process that is in use, in bytes.
func residentByteCount() -> Int {
  let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
  return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4096 } ?? 0
}
