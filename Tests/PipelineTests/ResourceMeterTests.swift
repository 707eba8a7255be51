import Foundation
import Pipeline
import Testing

@Suite("Resource meter")
struct ResourceMeterTests {
  static func seconds(since start: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - start) / .seconds(1)
  }

  @Test("measures time and the highest memory use")
  func measures() throws {
    let meter = ResourceMeter()
    let before = try #require(meter.peakByteCount)
    #expect(before > 1 << 20)
    var bytes = [UInt8](repeating: 0, count: 64 << 20)
    for index in stride(from: 0, to: bytes.count, by: 4096) { bytes[index] = 1 }
    #expect(bytes.reduce(0) { $0 + Int($1) } == bytes.count / 4096)
    let after = try #require(meter.peakByteCount)
    #expect(after - before > 32 << 20)
    #expect(meter.seconds > 0)
  }
}
