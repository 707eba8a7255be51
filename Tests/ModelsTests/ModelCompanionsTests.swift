import Foundation
import Models
import Testing

@Suite("What belongs to a model")
struct ModelCompanionsTests {
  @Test("the file that is named is the model's origin, companions lie beside it")
  func namedFile() throws {
    let folder = try TemporaryFolder()
    let golden = GoldenModel(name: "llama-grouped")
    try folder.copy(golden)
    let other = folder.url.appending(path: "other.safetensors")
    try FileManager.default.copyItem(
      at: folder.url.appending(path: "model.safetensors"),
      to: other
    )
    try Data("no weights".utf8).write(to: folder.url.appending(path: "model.safetensors"))
    let model = try ModelLoader.load(other)
    #expect(model.companions.origin.path == other.path)
    let again = try ModelLoader.load(model.companions.origin)
    #expect(again.configuration == (try golden.load().configuration))
    #expect(throws: (any Error).self) { try ModelLoader.load(folder.url) }
  }

  @Test("an index that is named, and a folder, are origins as well")
  func namedIndex() throws {
    let golden = GoldenModel(name: "llama-sharded")
    let index = golden.url.appending(path: "model.safetensors.index.json")
    #expect(try ModelLoader.load(index).companions.origin.path == index.path)
    #expect(try golden.load().companions.origin.path == golden.url.path)
  }

  @Test(
    "a chat template is read as text, or as the default of a list",
    arguments: [
      (JSONValue.string("a"), "a"),
      (
        .array([
          .object(["name": .string("tool_use"), "template": .string("b")]),
          .object(["name": .string("default"), "template": .string("c")]),
        ]), "c"
      ),
      (.array([.object(["name": .string("rag"), "template": .string("b")])]), nil),
      (.null, nil),
    ] as [(JSONValue, String?)]
  )
  func chatTemplate(value: JSONValue, expected: String?) throws {
    let folder = try TemporaryFolder()
    try folder.copy(GoldenModel(name: "llama-grouped"))
    try JSONValue.object(["chat_template": value]).text()
      .write(to: folder.url.appending(path: "tokenizer_config.json"))
    #expect(try ModelLoader.load(folder.url).companions.chatTemplate() == expected)
  }
}
