import Foundation
import Testing

@Suite("Descriptions of stages")
struct DescribeCommandTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  @Test("docs/stages.md is what the stages say; `make describe` renews it")
  func markdown() throws {
    let page = try String(
      contentsOf: Self.root.appending(path: "docs/stages.md"),
      encoding: .utf8
    )
    #expect(try CommandLineTool.run("describe", "--markdown").output == page)
  }

  @Test("every stage can be described")
  func every() throws {
    let overview = try CommandLineTool.run("describe")
    #expect(overview.status == 0)
    let kinds = overview.output.split(separator: "\n").prefix { !$0.hasPrefix("slm-compress") }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(kinds.count >= 5)
    for kind in kinds + ["recipe"] {
      let text = try CommandLineTool.run("describe", kind)
      #expect(text.status == 0)
      #expect(text.output.split(separator: "\n").allSatisfy { $0.count <= 130 }, "\(kind)")
    }
  }

  @Test("an unknown stage is an error with the nearest")
  func unknown() throws {
    let outcome = try CommandLineTool.run("describe", "export.guff")
    #expect(outcome.status == 2)
    #expect(
      outcome.errors == "error: there is no stage `export.guff`; did you mean `export.gguf`?\n"
    )
    let other = try CommandLineTool.run("describe", "quantize.rtn")
    #expect(other.status == 2)
    #expect(!other.errors.contains("did you mean"), "only the part behind the dot is another")
  }
}
