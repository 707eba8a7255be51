import Foundation
import Testing

@testable import Pipeline

@Suite("What recipes read and write")
struct RecipeInputTests {
  @Test("a model that an option names and that is not there is a problem with its place")
  func absentReference() throws {
    let text = "model: llama-3\nstages:\n  - test.scale: { reference: absent-model }\n"
    #expect(try problems(text).isEmpty)
    let found = try problems(text, plans: true)
    #expect(found.hasPrefix("test.yaml:3:30: error: the model cannot be opened: "), "\(found)")
  }

  @Test(
    "exports into folders of stages are refused",
    arguments: [
      "02-export.gguf/q4.gguf", "02-test.dump", "00-baseline/x", "10-x.partial", "log.txt",
    ]
  )
  func stageFolders(path: String) throws {
    let found = try problems("model: llama-3\nstages:\n  - test.dump: { path: \(path) }\n")
    #expect(found.contains("`\(path)` is a name the run directory uses itself"), "\(found)")
  }

  @Test("other names with numbers are not", arguments: ["4bit-model", "q4-02-x", "20245-a"])
  func otherNames(path: String) throws {
    #expect(try problems("model: llama-3\nstages:\n  - test.dump: { path: \(path) }\n").isEmpty)
  }

  @Test(
    "a run is named for its recipe's file without the ending",
    arguments: [
      ("recipes/qwen2.5-int4.yaml", "qwen2.5-int4"), ("a.yml", "a"), ("B.YAML", "B"),
      ("a.yaml.yaml", "a.yaml"), ("..yaml", "recipe"), (".hidden.yaml", "hidden"),
      ("two words.txt", "two-words.txt"),
    ]
  )
  func names(file: String, name: String) throws {
    let recipe = try RecipeFile(
      text: "model: llama-3\nstages:\n  - sample.all\n",
      name: file,
      folder: tinyModel.deletingLastPathComponent(),
      registry: testRegistry
    )
    #expect(recipe.recipe.name == name)
  }

  @Test("what cannot be replaced stays")
  func replacing() throws {
    let folder = try TemporaryFolder()
    let (old, new) = (folder.url.appending(path: "old"), folder.url.appending(path: "new"))
    let aside = folder.url.appending(path: "aside")
    try FileTree.create(old)
    try Data("1".utf8).write(to: old.appending(path: "a"))
    #expect(throws: (any Error).self) { try FileTree.replace(old, with: new, aside: aside) }
    #expect(FileTree.names(in: old) == ["a"])
    try FileTree.create(new)
    try FileTree.replace(old, with: new, aside: aside)
    #expect(FileTree.names(in: old).isEmpty)
    #expect(FileTree.names(in: folder.url) == ["old"])
  }

  @Test("a report of a later version says so, whatever else it holds")
  func laterReport() {
    let later = Data(#"{"schema": "slm-compress report", "version": 2, "runs": []}"#.utf8)
    let error = #expect(throws: RunError.self) { try RunReport(json: later, name: "r.json") }
    #expect(error?.problem == "the report has version 2, this tool reads version 1")
    let other = Data(#"{"schema": "something else", "version": 2}"#.utf8)
    let refusal = #expect(throws: RunError.self) { try RunReport(json: other, name: "r.json") }
    #expect(refusal?.problem == "this is not a report")
  }
}
