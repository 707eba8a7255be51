import Foundation
import Pipeline
import Reports
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Reports")
struct ReportTests {
  @Test("in a terminal are aligned tables")
  func terminal() {
    #expect(
      TerminalReport.render(sampleReport()) == """
        model                 size  bits/weight    perplexity       KL      same top-1  peak memory        time
        ───────────────────────────────────────────────────────────────────────────────────────────────────────
        baseline          269.1 MB        16.00         23.51
        01-quantize.gptq  96.00 MB        5.710  24.90 ± 0.71  0.04650  87.00 ± 0.34 %     700.0 MB  1 min 15 s
        tiny-q4_0.gguf    91.70 MB        5.450         25.10
        tiny-hf           269.0 MB                          ∞

        What each stage gave and took
        step              of                    size  changes by  perplexity  changes by       KL  changes by
        ─────────────────────────────────────────────────────────────────────────────────────────────────────
        baseline                            269.1 MB                   23.51
        01-quantize.gptq  baseline          96.00 MB     −64.3 %       24.90     +5.91 %  0.04650     +0.0465
        tiny-q4_0.gguf    01-quantize.gptq  91.70 MB     −4.48 %       25.10     +0.80 %
        tiny-hf           baseline          269.0 MB    −0.023 %           ∞

        outcome  metric                   value  bound          of
        ──────────────────────────────────────────────────────────────────────
        passed   size                  91.70 MB  at most 90MiB  tiny-q4_0.gguf
        FAILED   perplexity_ratio  not measured  at most 1.05   tiny-hf

        """
    )
  }

  @Test("as JUnit XML have a case for every gate")
  func junit() {
    #expect(
      JUnitReport.render(sampleReport(name: "a<b>&\"'\u{1}")) == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="1">
          <testsuite name="a&lt;b&gt;&amp;&quot;&#39;" tests="2" failures="1" time="312.5" \
        timestamp="2026-11-23T12:00:00Z">
            <testcase classname="a&lt;b&gt;&amp;&quot;&#39;" name="size of tiny-q4_0.gguf: at most \
        90MiB"/>
            <testcase classname="a&lt;b&gt;&amp;&quot;&#39;" name="perplexity_ratio of tiny-hf: at \
        most 1.05">
              <failure message="not measured is not at most 1.05"/>
            </testcase>
          </testsuite>
        </testsuites>

        """
    )
  }

  @Test("as Markdown begin with what matters")
  func markdown() {
    let text = MarkdownReport.render(sampleReport())
    #expect(
      text.hasPrefix(
        """
        # sample

        models/tiny, 134.5 M parameters. tiny-q4\\_0.gguf: 269.1 MB → 91.70 MB (−65.9 %), \
        perplexity 23.51 → 25.10 (+6.76 %).

        **1 of 2 gates failed.**

        ## Gates

        | outcome | metric | value | bound | of |
        |:---|:---|---:|:---|:---|
        | passed | size | 91.70 MB | at most 90MiB | tiny-q4\\_0.gguf |
        | FAILED | perplexity\\_ratio | not measured | at most 1.05 | tiny-hf |

        ## Results

        """
      )
    )
    #expect(text.contains("> **Warning:** one matrix fell back"))
    #expect(
      text.contains(
        """
        ## What each stage gave and took

        | step | of | size | changes by | perplexity | changes by | KL | changes by |
        |:---|:---|---:|---:|---:|---:|---:|---:|
        | baseline |  | 269.1 MB |  | 23.51 |  |  |  |
        | 01-quantize.gptq | baseline | 96.00 MB | −64.3 % | 24.90 | +5.91 % | 0.04650 | +0.0465 |
        | tiny-q4\\_0.gguf | 01-quantize.gptq | 91.70 MB | −4.48 % | 25.10 | +0.80 % |  |  |
        | tiny-hf | baseline | 269.0 MB | −0.023 % | ∞ |  |  |  |

        """
      )
    )
    #expect(text.contains("Most costly (relative weight error): lm\\_head 0.0130, "))
    #expect(
      text.contains("| lm\\_head | 8.000 | 0.01300 | 8 bits |") || text.contains("| lm\\_head |")
    )
    #expect(text.hasSuffix("slm-compress 0.1.0\n"))
  }

  @Test("as HTML are well-formed and need nothing from outside")
  func html() throws {
    for (report, drawings) in [
      (sampleReport(), 8), (sampleReport(name: hostile, part: hostile), 6),
    ] {
      let page = try HTMLReport.render(report)
      #expect(try Self.problem(page) == nil)
      #expect(page.hasPrefix("<!DOCTYPE html>"))
      #expect(!page.contains("<script"))
      #expect(!page.contains(" src=\"") && !page.contains("<link") && !page.contains("@import"))
      #expect(!page.contains("{{") || page.contains("{{x}}"))
      // Two widths each of accuracy, changes, a training's losses and a map of parts, which needs
      // names of two blocks.
      #expect(page.components(separatedBy: "<svg").count == drawings + 1)
    }
  }

  @Test("escape whatever stands in names and recipes")
  func escaping() throws {
    var report = sampleReport(name: hostile, part: hostile)
    report.recipe = hostile
    report.entries[1].title = hostile
    report.entries[1].warnings = [hostile]
    let page = try HTMLReport.render(report)
    #expect(!page.contains("<img"))
    #expect(!page.contains("\u{1B}"))
    #expect(try Self.problem(page) == nil)
    let markdown = MarkdownReport.render(report)
    let recipe = try #require(markdown.range(of: "## Recipe"))
    #expect(!markdown[..<recipe.lowerBound].contains("<img"))
    #expect(!TerminalReport.render(report).contains("\u{1B}"))
  }

  @Test("of a run without measurements have no chart")
  func sizesOnly() throws {
    var report = sampleReport()
    for index in report.entries.indices {
      report.entries[index].numbers["perplexity"] = nil
      report.entries[index].numbers["kl_mean"] = nil
    }
    report.gates = []
    let page = try HTMLReport.render(report)
    // What remains is the map of parts and the training's losses.
    #expect(page.components(separatedBy: "<svg").count == 5)
    #expect(!page.contains("Accuracy against size") && !page.contains("gave and took</h2>"))
    #expect(!page.contains("Gates"))
    #expect(try Self.problem(page) == nil)
  }

  @Test("draw charts whatever the numbers are")
  func charts() throws {
    for values in [[1.0, 1.0], [1e-9, 1e9], [0.5, 1e300], [3, -4], [.nan, 2], [20, 20.0001]] {
      var report = sampleReport()
      for (index, value) in values.enumerated() {
        report.entries[index].numbers["perplexity"] = value
        report.entries[index].numbers["size_bytes"] = value * 1e6
        report.entries[index].numbers["perplexity_standard_error"] = value
        report.entries[index].numbers["kl_mean"] = value
        report.entries[index].layers = values.enumerated().map {
          StageReport.Layer("model.layers.\($0.offset)", ["output_error": $0.element])
        }
        report.entries[index].curve = TrainingCurve(
          training: values.enumerated().map {
            TrainingCurve.Point(step: $0.offset, loss: $0.element)
          },
          validation: []
        )
      }
      let page = try HTMLReport.render(report)
      #expect(try Self.problem(page) == nil)
      #expect(!page.contains("\"nan\"") && !page.contains("\"inf\""))
    }
  }

  @Test("read back from JSON, also with numbers that are none")
  func json() throws {
    let report = sampleReport()
    #expect(try RunReport(json: report.json, name: "report.json") == report)
    var later = report
    later.version = 2
    #expect(throws: RunError.self) { try RunReport(json: later.json, name: "report.json") }
    #expect(throws: RunError.self) { try RunReport(json: Data("{}".utf8), name: "report.json") }
  }

  private let hostile = "</title><img src=x onerror=\"alert('1')\"> & {{x}} | `*_ \u{1B}[2J \u{0}"

  /// What an XML parser says against a page; nil if nothing.
  private static func problem(_ page: String) throws -> String? {
    // HTML's elements without an end, and its doctype, are all that XML does not know here.
    let xml = page.replacingOccurrences(of: "<!DOCTYPE html>", with: "")
      .replacing(/<(meta|br)([^>]*)>/) { "<\($0.1)\($0.2)/>" }
    let parser = XMLParser(data: Data(xml.utf8))
    return parser.parse()
      ? nil : "line \(parser.lineNumber): \(String(describing: parser.parserError))"
  }
}
