import Calibrate
import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("quantize.allocate for folders")
struct AllocateFoldersTests {
  private typealias Fixture = AllocationFixture

  private func groups(_ texts: String...) throws -> [CandidateFormat] {
    try texts.map { try #require(CandidateFormat(recipeText: $0)) }
  }

  @Test("candidates are written as they are read, and nothing else is read")
  func notation() throws {
    for text in ["q4_k", "iq4_nl", "int2_g32", "int8_channel", "int3_g128"] {
      #expect(CandidateFormat(recipeText: text)?.recipeText == text)
    }
    #expect(CandidateFormat(recipeText: "int3_g64") == .groups(bits: 3, size: .columns(64)))
    for text in [
      "int1_g32", "int9_g32", "int4_g0", "int4_64", "int4", "int4_g", "int4_gchannel", "Q4_K",
      "int4_g032", " int4_g32", "int4_g99999",
    ] {
      #expect(CandidateFormat(recipeText: text) == nil, "\(text)")
    }
  }

  @Test("what a file does not hold is refused where it stands in the list")
  func misfits() throws {
    func places(_ file: AllocationFile, _ texts: String...) throws -> [String?] {
      var options = Fixture.options(100_000, file: file)
      options.formats = try texts.map { try #require(CandidateFormat(recipeText: $0)) }
      return options.problems().map(\.option)
    }
    #expect(
      try places(.gguf, "q4_0", "int4_g32", "q8_0", "int8_channel") == ["formats.1", "formats.3"]
    )
    #expect(try places(.mlx, "int4_g32", "q8_0") == ["formats.1"])
    #expect(try places(.mlx, "int7_g32", "int4_channel", "int4_g16", "int6_g128").count == 3)
    #expect(try places(.compressedTensors, "q8_0", "int7_g48", "int2_channel") == ["formats.0"])
    for file in AllocationFile.allCases {
      #expect(Fixture.options(100_000, file: file).problems().isEmpty)
    }
    var options = Fixture.options(100_000)
    options.scaleType = .bfloat16
    #expect(options.problems().map(\.option) == ["scale_type"])
  }

  @Test("the embedding is quantized for MLX, and stays for compressed-tensors")
  func ends() throws {
    for ties in [true, false] {
      let fixture = try Fixture(.init(tiesEmbeddings: ties))
      let model = try fixture.tiny.load()
      for file in [AllocationFile.mlx, .compressedTensors] {
        let (smallest, largest) = try fixture.range(Fixture.options(file: file))
        let result = try fixture.run(
          Fixture.options((smallest + largest) / 2, file: file),
          "work-\(file.rawValue)"
        )
        for (name, format) in result.model.matrices.map({ ($0.name, $0.format) }) {
          guard case .groups(let groups) = format else {
            #expect(file == .compressedTensors && !name.hasPrefix("model.layers."))
            continue
          }
          #expect(groups.zero == (file == .mlx ? .offset : .symmetric))
          #expect(groups.scaleType == .float16)
          #expect(file == .mlx || name.hasPrefix("model.layers."))
        }
        for block in result.model.blocks {
          let attention = block.attention
          #expect(attention.query.format == attention.key.format)
          #expect(attention.query.format == attention.value.format)
          #expect(block.feedForward.gate.format == block.feedForward.up.format)
        }
      }
      var options = Fixture.options(100_000, file: .compressedTensors)
      options.selection.targets = [NamePattern("model.*")]
      var promise = ModelPromise(model.outline)
      #expect(AllocateStage(options).check(&promise).map(\.option) == ["targets"])
      guard !ties else { continue }
      options.selection.targets = [NamePattern("model.layers.*"), NamePattern("lm_head")]
      let (_, largest) = try fixture.range(options)
      options.size = ByteSize(largest - 100)
      let head = try #require(try fixture.run(options, "head").model.untiedHead)
      guard case .groups = head.format else {
        Issue.record("the head stayed \(head.format)")
        continue
      }
    }
  }

  @Test("folders read back as the model that was made, with several widths")
  func readBack() throws {
    let fixture = try Fixture(blocks: 3)
    for file in [AllocationFile.mlx, .compressedTensors] {
      let (smallest, largest) = try fixture.range(Fixture.options(file: file))
      let size = smallest + (largest - smallest) / 3
      let result = try fixture.run(Fixture.options(size, file: file), "work-\(file.rawValue)")
      let read = try ModelLoader.load(result.url)
      let formats = Set(read.linears.map(\.format))
      #expect(formats.count > 1)
      let tokens = (0..<48).map { Int32($0 * 37 % 260) }
      let (a, b) = (
        read.logits(read.hidden([tokens])), result.model.logits(result.model.hidden([tokens]))
      )
      // What is not quantized is rounded to float16 for MLX.
      #expect((a - b).sumOfSquares() <= 1e-5 * b.sumOfSquares())
    }
  }

  @Test("sensitivities are kept per kind of file, and give the same bytes again")
  func determinism() throws {
    let fixture = try Fixture()
    var options = Fixture.options(file: .mlx)
    options.formats = try groups("int8_g32", "int4_g64", "int4_g32", "int2_g32", "int3_g32")
    let (smallest, largest) = try fixture.range(options)
    options.size = ByteSize((smallest + largest) / 2)
    let first = try fixture.run(options, "first", findsSensitivities: false)
    options.formats = options.formats?.reversed()
    let second = try fixture.run(options, "second", findsSensitivities: true)
    #expect(second.report == first.report)
    #expect(try second.file == first.file)
    try FileManager.default.removeItem(at: fixture.tiny.result("cache"))
    let third = try fixture.run(options, "third", findsSensitivities: false)
    #expect(third.report == first.report)
    #expect(try third.file == first.file)
    options.scaleType = .bfloat16
    let fourth = try fixture.run(options, "fourth", findsSensitivities: false)
    #expect(try fourth.file != first.file)
    options.file = .compressedTensors
    options.size = ByteSize(try fixture.range(options).smallest)
    _ = try fixture.run(options, "fifth", findsSensitivities: false)
  }

  @Test("budgets from the smallest file to the largest are met, others refused beforehand")
  func extremes() throws {
    let fixture = try Fixture(.init(dtype: .bfloat16))
    let model = try fixture.tiny.load()
    let promise = ModelPromise(model.outline)
    for file in [AllocationFile.mlx, .compressedTensors] {
      let (smallest, largest) = try fixture.range(Fixture.options(file: file))
      for (size, isRefused) in [
        (smallest - 1, true), (smallest, false), (largest, false), (largest + 1, true),
      ] {
        let options = Fixture.options(size, file: file)
        let problems = AllocateStage(options).checkInputs(promise, fixture.setting(model))
        #expect(problems.map(\.option) == (isRefused ? ["size"] : []))
        guard !isRefused else { continue }
        let result = try fixture.run(options, "work-\(file.rawValue)-\(size)")
        #expect(try result.file.count <= size)
      }
    }
  }
}
