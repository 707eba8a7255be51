import Foundation
import Testing

@testable import Tokenizers

@Suite("Bad and hostile templates are errors with line and column")
struct TemplateLimitTests {
  private func render(_ source: String) throws(TokenizerError) -> String {
    var template = try ChatTemplate(source, name: "template")
    template.stepLimit = 200_000
    return try template.render(
      messages: [.init(role: "user", content: "a")],
      addGenerationPrompt: false
    )
  }

  @Test(
    "errors name the construct and its place",
    arguments: [
      ("a\n  {% include 'x' %}", TokenizerError.Code.unsupported, "2:3", "'include'"),
      ("{{ 1 }}\n{{ messages | groupby('role') }}", .unsupported, "2:13", "'groupby'"),
      ("{{ messages is\n  weird }}", .unsupported, "1:13", "'weird'"),
      ("{{ 'a'.encode() }}", .unsupported, "1:7", "'encode'"),
      ("é{{ '%s' % 1 }}", .unsupported, "1:10", "'%'"),
      ("{% for a in b recursive %}{% endfor %}", .unsupported, "1:15", "recursive"),
      (
        "{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}", .unsupported, "1:16",
        "generation"
      ),
      ("{{ messages[0].items }}", .unsupported, "1:15", "'items'"),
      ("{{ f(*a) }}", .unsupported, "1:6", "'*'"),
      ("{% if true %}\n{{ 1 }}", .malformedTemplate, "1:1", "'endif'"),
      ("\r\n\r\n{{ a b }}", .malformedTemplate, "3:6", "'b'"),
      ("{{ 'a }}", .malformedTemplate, "1:4", "string"),
      ("{{\n\n nothing.x }}", .templateFailure, "3:9", "'nothing' is undefined"),
      ("{{ raise_exception('No ' ~ 1) }}", .raisedByTemplate, "1:19", "No 1"),
      ("{{ 99999999999999999999 }}", .malformedTemplate, "1:4", "64 bits"),
      ("{{ 9223372036854775807 + 1 }}", .templateFailure, "1:24", "64 bits"),
    ]
  )
  func places(
    source: String,
    code: TokenizerError.Code,
    place: String,
    message: String
  ) {
    let error = #expect(throws: TokenizerError.self) { try render(source) }
    #expect(error?.code == code, "\(String(describing: error))")
    #expect(error?.location.path == place, "\(String(describing: error))")
    #expect(error?.problem.contains(message) == true, "\(String(describing: error))")
  }

  @Test(
    "limits hold",
    arguments: [
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{{ 'a' * 999999999999 }}", "{{ [1] * 999999999 }}", "{{ 2 ** 999999999 }}",
      "{% set ns = namespace(a='aaaaaaaa') %}{% for i in range(90) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
      "{% set ns = namespace(a=[]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a == ns.a }}",
      "{% set ns = namespace() %}{% set ns.a = ns %}",
      "{% set a = 'a' * 1000000 %}{{ a.replace(a[1:] ~ 'b', '') }}{% for i in range(99) %}{{ a.count(a[500000:] ~ 'b') }}{% endfor %}",
      "{% for i in range(99999) %}{{ 'a' * 99999 }}{% endfor %}",
    ]
  )
  func limits(source: String) {
    let error = #expect(throws: TokenizerError.self) { try render(source) }
    #expect(error?.code != .malformedTemplate, "\(String(describing: error))")
  }

  @Test(
    "deep nesting is an error, not the end of the stack",
    arguments: [90, 1000, 10_000]
  )
  func nesting(depth: Int) {
    func times(_ text: String) -> String { String(repeating: text, count: depth) }
    let sources = [
      times("(") + "1" + times(")"), times("[") + times("]"), "1" + times(" + 1"),
      times("not ") + "1", times("-") + "1", "messages" + times("[0]"), "'a'" + times("|trim"),
      "1" + times(" if 1 else 1"), times("{'a':") + "1" + times("}"), "1" + times(" and 1"),
      times("1 if "), "1" + times(".a"), "f" + times("()"), "1" + times(" is defined"),
    ]
    for source in sources { check("{{ \(source) }}", mustFail: depth > 200) }
    check(times("{% if 1 %}") + times("{% endif %}"), mustFail: depth > 200)
    check(times("{% for a in [1] %}") + times("{% endfor %}"), mustFail: depth > 200)
    check(times("{% if 1 %}"), mustFail: true)
    check("{% if 0 %}" + times("{% elif 0 %}") + "{% endif %}", mustFail: false)
    check("{{ 1" + times(" ~ 1") + " }}", mustFail: false)
  }

  private func check(_ source: String, mustFail: Bool) {
    do throws(TokenizerError) {
      _ = try render(source)
      #expect(!mustFail, "\(source.prefix(60))")
    } catch {
      #expect(error.location.path.contains(":"))
    }
  }

  @Test("cut and changed templates are errors or work", arguments: TemplateGolden.names)
  func changed(name: String) throws {
    var random = RandomTexts(seed: 5)
    let original = Array(String(decoding: try TemplateGolden.data("\(name).jinja"), as: UTF8.self))
    let pieces = ["{%", "%}", "{{", "}}", "(", ")", "[", "|", "'", " if ", "-", "\n", "1", " is "]
    for _ in 0..<150 {
      var characters = original
      for _ in 0...random.number(below: 2) {
        let place = random.number(below: characters.count)
        switch random.number(below: 3) {
        case 0: characters.remove(at: place)
        case 1: characters.insert(contentsOf: pieces[random.number(below: pieces.count)], at: place)
        default: characters.removeSubrange(place..<min(place + 20, characters.count))
        }
      }
      do throws(TokenizerError) {
        _ = try render(String(characters))
      } catch {
        #expect(!error.problem.isEmpty && error.location.source == "template")
      }
    }
  }
}
