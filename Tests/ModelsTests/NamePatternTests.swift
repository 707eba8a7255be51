import Testing

@testable import Models

@Suite("Name patterns")
struct NamePatternTests {
  @Test(
    "patterns match whole names",
    arguments: [
      ("model.layers.*.mlp.*", "model.layers.3.mlp.up_proj", true),
      ("model.layers.*.mlp.*", "model.layers.3.self_attn.q_proj", false),
      ("*", "", true), ("*", "lm_head", true), ("", "", true), ("", "x", false),
      ("lm_head", "lm_head", true), ("lm_hea", "lm_head", false), ("m_head", "lm_head", false),
      ("model.layers.?.mlp.up_proj", "model.layers.7.mlp.up_proj", true),
      ("model.layers.?.mlp.up_proj", "model.layers.17.mlp.up_proj", false),
      ("*.{gate,up}_proj", "model.layers.0.mlp.gate_proj", true),
      ("*.{gate,up}_proj", "model.layers.0.mlp.down_proj", false),
      ("a{b,c{d,e}}f", "acef", true), ("a{b,c{d,e}}f", "abf", true),
      ("a{b,}c", "ac", true), ("a.b", "axb", false), ("*a*b*", "xxaxxbxx", true),
      ("*a*b*", "bbbaaa", false), ("{a", "{a", true), ("a}", "a}", true),
    ]
  )
  func matching(pattern: String, name: String, expected: Bool) {
    #expect(NamePattern(pattern).matches(name) == expected)
  }

  @Test("hostile patterns end quickly", .timeLimit(.minutes(1)))
  func hostile() {
    let stars = NamePattern(String(repeating: "*a", count: 2000) + "b")
    #expect(!stars.matches(String(repeating: "a", count: 4000)))
    let braces = NamePattern(String(repeating: "{a,b}", count: 64))
    #expect(!braces.matches("c"))
    let nested = NamePattern(
      String(repeating: "{", count: 5000) + String(repeating: "}", count: 5000)
    )
    #expect(nested.matches(""))
  }

  @Test("random patterns agree with a matcher that tries everything")
  func exhaustive() {
    var generator = SeededGenerator(11)
    for _ in 0..<4000 {
      let pattern = String((0..<Int.random(in: 0...6, using: &generator)).map { _ in pick("ab?*") })
      let name = String((0..<Int.random(in: 0...6, using: &generator)).map { _ in pick("ab") })
      #expect(
        NamePattern(pattern).matches(name) == slow(Array(name), Array(pattern)),
        "\(pattern) on \(name)"
      )
    }
    func pick(_ letters: String) -> Character {
      letters.randomElement(using: &generator) ?? "a"
    }
  }

  @Test("the nearest names have layer numbers replaced")
  func nearest() {
    let names = (0..<3).flatMap { ["model.layers.\($0).mlp.up_proj", "model.layers.\($0).x.y"] }
    let nearest = NamePattern("model.layer.*.mlp.up").nearest(among: names, count: 1)
    #expect(nearest == ["model.layers.*.mlp.up_proj"])
  }

  private func slow(_ name: [Character], _ pattern: [Character]) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    let rest = Array(pattern.dropFirst())
    if first == "*" { return (0...name.count).contains { slow(Array(name[$0...]), rest) } }
    guard let letter = name.first, first == "?" || first == letter else { return false }
    return slow(Array(name.dropFirst()), rest)
  }
}
