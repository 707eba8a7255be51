import Foundation
import Testing

@testable import Tokenizers

@Suite("Bad files are errors that say where and what, never traps")
struct BadInputTests {
  private static let small = """
    {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":5,"content":"<s>",\
    "single_word":false,"lstrip":true,"rstrip":false,"normalized":true,"special":true}],\
    "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace",\
    "pattern":{"Regex":"x+"},"content":"y"}]},"pre_tokenizer":{"type":"Sequence",\
    "pretokenizers":[{"type":"Split","pattern":{"Regex":"[^\\\\s\\\\p{L}]+|\\\\s+(?!\\\\S)"},\
    "behavior":"Isolated","invert":false},{"type":"Metaspace","replacement":"_",\
    "prepend_scheme":"first","split":true}]},"post_processor":{"type":"TemplateProcessing",\
    "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],\
    "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],\
    "special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},"decoder":{"type":\
    "Sequence","decoders":[{"type":"ByteFallback"},{"type":"Strip","content":" ","start":1,\
    "stop":0}]},"model":{"type":"BPE","dropout":null,"unk_token":"?","fuse_unk":true,\
    "byte_fallback":true,"ignore_merges":false,"vocab":{"?":0,"a":1,"b":2,"ab":3,"_":4},\
    "merges":["a b"]}}
    """

  private func open(_ json: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: Data(json.utf8), source: "tokenizer.json")
  }

  @Test("the unchanged file is good")
  func unchanged() throws {
    #expect(try open(Self.small).encode("ab xx<s>c", addSpecialTokens: true).first == 5)
  }

  @Test(
    "each mistake is named with its place",
    arguments: [
      ("\"type\":\"BPE\"", "\"type\":\"XYZ\"", "model: the model 'XYZ'"),
      ("\"dropout\":null", "\"dropout\":0.1", "model.dropout: dropout"),
      ("\"fuse_unk\":true", "\"fuse_unk\":3", "model.fuse_unk: expected true or false"),
      ("\"fuse_unk\"", "\"fuse_unks\"", "model.fuse_unks: 'fuse_unks' is not an option"),
      ("\"ab\":3", "\"ab\":2", "model.vocab: the token 'ab' or its id 2 occurs twice"),
      ("\"ab\":3", "\"ab\":99999999", "model.vocab: the id of 'ab' is not"),
      ("\"ab\":3", "\"ac\":3", "model: merge 0 makes 'ab', which is not a token"),
      ("[\"a b\"]", "[\"a c\"]", "model.merges[0]: the merge is of a token"),
      ("[\"a b\"]", "[[\"a\"]]", "model.merges[0]: expected two tokens"),
      ("\"NFC\"", "\"NFX\"", "normalizer.normalizers[0].type: the normalizer 'NFX'"),
      ("x+", "x(", "normalizer.normalizers[1].pattern.Regex: the pattern does not compile"),
      ("\"Isolated\"", "\"Isolate\"", "pre_tokenizer.pretokenizers[0].behavior"),
      ("\"Metaspace\"", "\"UnicodeScripts\"", "pre_tokenizer.pretokenizers[1].type"),
      ("\"first\"", "\"second\"", "pre_tokenizer.pretokenizers[1].prepend_scheme"),
      ("\"ids\":[5]", "\"ids\":[-5]", "post_processor.special_tokens.<s>.ids[0]"),
      ("\"id\":\"A\"", "\"id\":\"B\"", "post_processor.single[1].Sequence"),
      ("\"ByteFallback\"", "\"CTC\"", "decoder.decoders[0].type: the decoder 'CTC'"),
      ("{\"id\":5", "{\"id\":7", "added_tokens[0].id: the token '<s>' has the id 7"),
      ("\"1.0\"", "\"2.0\"", "version"), ("\"version\"", "\"extra\"", "extra"),
      ("\"merges\"", "\"merge\"", "model.merge"),
    ]
  )
  func named(old: String, new: String, message: String) throws {
    let changed = try #require(Self.small.range(of: old)).upperBound
    let json = Self.small[..<changed].replacing(old, with: new) + Self.small[changed...]
    let error = #expect(throws: TokenizerError.self) { try open(String(json)) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    #expect(error?.description.hasPrefix("tokenizer.json: ") == true)
  }

  @Test(
    "what is not JSON is an error with line and column",
    arguments: [
      ("", "1:1"), ("{", "1:2"), ("[1,]", "1:4"), ("{\"a\" 1}", "1:6"), ("\n\n tru", "3:5"),
      ("\"\\ud800\"", "1:8"), ("\"\\q\"", "1:4"), ("[1 2]", "1:4"), ("1 2", "1:3"),
      ("{\"a\":1e}", "1:8"), (String(repeating: "[", count: 100_000), "1:65"),
    ]
  )
  func malformed(json: String, place: String) {
    let error = #expect(throws: TokenizerError.self) { try open(json) }
    #expect(error?.code == .malformedJSON)
    #expect(error?.location.path == place)
  }

  @Test("cut files are errors")
  func cut() {
    for count in stride(from: 0, to: Self.small.utf8.count, by: 3) {
      #expect(throws: TokenizerError.self) { try open(String(Self.small.prefix(count))) }
    }
  }

  @Test("changed files are errors or work", arguments: [1, 2, 3] as [UInt64])
  func changed(seed: UInt64) throws {
    var random = RandomTexts(seed: seed)
    let original = Array(Self.small.utf8)
    for _ in 0..<1500 {
      var bytes = original
      for _ in 0...random.number(below: 3) {
        let place = random.number(below: bytes.count)
        switch random.number(below: 5) {
        case 0: bytes[place] ^= 1 << UInt8(random.number(below: 8))
        case 1: bytes[place] = UInt8(random.number(below: 256))
        case 2: bytes.remove(at: place)
        case 3: bytes.insert(bytes[random.number(below: bytes.count)], at: place)
        default:
          let end = min(bytes.count, place + random.number(below: 30))
          let copy = bytes[place..<end]
          bytes.insert(contentsOf: copy, at: random.number(below: bytes.count))
        }
      }
      do throws(TokenizerError) {
        let tokenizer = try Tokenizer(tokenizerJSON: Data(bytes), source: "changed")
        let ids = try tokenizer.encode("ab <s>axxb é 12", addSpecialTokens: true)
        _ = try tokenizer.decode(ids + [-1, .max])
        _ = try? tokenizer.ggufVocabulary()
      } catch {
        #expect(!error.problem.isEmpty && !error.remedy.isEmpty)
      }
    }
  }

  @Test(
    "hostile patterns are errors",
    arguments: ["(x+x+)+y", "(?:x|x|x)*y", "x*x*x*x*x*x*x*y", "(x(x(x)?)?)*?y", "(?R)?x"]
  )
  func hostile(pattern: String) throws {
    let json = Self.small.replacing("\"Regex\":\"x+\"", with: "\"Regex\":\"\(pattern)\"")
    let text = String(repeating: "x", count: 20_000)
    do throws(TokenizerError) {
      // A pattern that finds its way through in time is fine too.
      _ = try Tokenizer(tokenizerJSON: Data(json.utf8), source: "hostile").encode(text)
    } catch {
      #expect(error.code == .pattern || error.code == .unsupported)
    }
  }

  @Test("a changed character map is an error or works")
  func characterMap() throws {
    let data = try TokenizerGolden.data("unigram.tokenizer.json")
    let root = try JSONDocument(Array(data), source: "unigram").root
    let map = try root.required("normalizer").required("normalizers").elements()[0]
      .required("precompiled_charsmap").string()
    var random = RandomTexts(seed: 9)
    let original = Array(try #require(Data(base64Encoded: map)))
    for _ in 0..<300 {
      var bytes = original
      for _ in 0..<20 {
        bytes[random.number(below: bytes.count)] = UInt8(random.number(below: 256))
      }
      let json = "\"\(Data(bytes).base64EncodedString())\""
      let value = try JSONDocument(Array(json.utf8), source: "map").root
      do throws(TokenizerError) {
        let normalizer = try PrecompiledMap(value)
        var text = NormalizedText(bytes: Array("ﬁ ①e\u{301} 한 ｶ".utf8), startsAtOrigin: true)
        try normalizer.normalize(&text)
      } catch {
        #expect(error.code == .invalidValue)
      }
    }
  }
}
