public import Pipeline

/// A report's gates as JUnit XML, which CI systems show as tests.
public enum JUnitReport {
  /// Renders a report; every gate is a test case, named for its metric and what it is of.
  public static func render(_ report: RunReport) -> String {
    let failures = report.gates.filter { !$0.passed }.count
    let cases = report.gates.map { gate -> String in
      let name = XML.escape("\(gate.metric) of \(gate.of): \(gate.bound)")
      let start = "    <testcase classname=\"\(XML.escape(report.name))\" name=\"\(name)\""
      if gate.passed { return start + "/>\n" }
      let message = XML.escape("\(gate.valueText(report.metrics)) is not \(gate.bound)")
      return start + ">\n      <failure message=\"\(message)\"/>\n    </testcase>\n"
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites tests="\(report.gates.count)" failures="\(failures)">
        <testsuite name="\(XML.escape(report.name))" tests="\(report.gates.count)" \
      failures="\(failures)" time="\(Wording.exact(report.totalSeconds))" \
      timestamp="\(XML.escape(report.date))">
      \(cases.joined())  </testsuite>
      </testsuites>

      """
  }
}

/// Text for XML and HTML.
enum XML {
  /// Text in which nothing is markup, for content and attributes.
  ///
  /// Characters that XML cannot hold are left out.
  static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result += "&#\(scalar.value);"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value): continue
      case "\u{FFFE}", "\u{FFFF}": continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
