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
    // The peak is one for the whole process, and meters that tests beside this one make begin it
    // anew: one undisturbed attempt is enough.
    let grew = try (0..<10).contains { _ in
      let before = try #require(meter.peakByteCount)
      #expect(before > 1 << 20)
      var bytes = [UInt8](repeating: 0, count: 64 << 20)
      for index in stride(from: 0, to: bytes.count, by: 4096) { bytes[index] = 1 }
      #expect(bytes.reduce(0) { $0 + Int($1) } == bytes.count / 4096)
      return try #require(meter.peakByteCount) - before > 32 << 20
    }
    #expect(grew)
    #expect(meter.seconds > 0)
  }
}
