import Foundation

/// Measures the time and the memory of a piece of work.
public struct ResourceMeter: Sendable {
  private let start = ContinuousClock.now

  /// Starts measuring.
  ///
  /// The process's record of its highest memory use is reset where that is
  /// allowed; elsewhere the highest since the process began is reported.
  public init() {
    try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
  }

  /// Seconds since the start.
  public var seconds: Double {
    let elapsed = ContinuousClock.now - start
    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
  }

  /// The most resident memory since the start, in bytes; nil where the system does not tell.
  public var peakByteCount: Int? { Self.status("VmHWM:") }

  private static func status(_ key: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) })
    else { return nil }
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
      .map { $0 << 10 }
  }
}
