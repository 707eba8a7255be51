import CKernels
import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Moments of 8 bits")
struct EightBitMomentsTests {
  private func codes(_ map: DynamicMap, _ numbers: [Float]) -> [UInt8] {
    var codes = [UInt8](repeating: 0, count: numbers.count)
    map.withPointers { slm_moment_codes($0, numbers, Int64(numbers.count), &codes) }
    return codes
  }

  @Test("the numbers and the nearest codes are those of numpy", arguments: [true, false])
  func map(isSigned: Bool) throws {
    let golden = try Golden("optimizers.safetensors")
    let map = isSigned ? DynamicMap.signed : DynamicMap.unsigned
    let name = isSigned ? "signed" : "unsigned"
    #expect(
      difference(map.values.map(Double.init), golden["map.\(name)"].numbers, relative: 2e-7) == nil
    )
    let numbers = golden["numbers"].elements(as: Float.self).map { isSigned ? $0 : abs($0) }
    #expect(codes(map, numbers) == golden["codes.\(name)"].elements(as: UInt8.self))
  }

  @Test("every code is its own, and codes change at the middles alone", arguments: [true, false])
  func nearest(isSigned: Bool) {
    let map = isSigned ? DynamicMap.signed : DynamicMap.unsigned
    #expect(codes(map, map.values) == (0...255).map(UInt8.init))
    let middles = Array(map.middles.dropLast())
    #expect(codes(map, middles) == (0...254).map(UInt8.init))
    #expect(codes(map, middles.map(\.nextUp)) == (1...255).map(UInt8.init))
    #expect(codes(map, [.nan, .infinity, 2, -2, -0.0]).count == 5)
  }

  @Test("three steps equal numpy's, codes and all")
  func golden() throws {
    let golden = try Golden("optimizers.safetensors")
    let parameter = Parameter("w", golden["coded.start"].reshaped([1049, 4]))
    let rule = AdamW(beta2: 0.99, weightDecay: 0.1, moments: .eightBit)
    let state = try OptimizerState(rule, [parameter])
    for step in 1...3 {
      let gradient = golden["coded.gradients"].rows(step - 1..<step).reshaped([1049, 4])
      state.update(parameter, gradient, rate: 0.01, step: step)
    }
    #expect(
      difference(parameter.value, golden["coded.end"].reshaped([1049, 4]), relative: 1e-6) == nil
    )
    let slots = state.tensors.map(\.tensor)
    for (moment, map) in [("first", DynamicMap.signed), ("second", .unsigned)] {
      let offset = moment == "first" ? 0 : 2
      let scales = slots[offset + 1].elements(as: Float.self)
      let values = slots[offset].elements(as: UInt8.self).enumerated().map { index, code in
        Double(map.values[Int(code)] * scales[index / 256])
      }
      // A number halfway between two codes may fall to either; one step is at most 18 % then.
      let expected = golden["coded.\(moment)"].numbers
      let far = zip(values, expected).count { abs($0 - $1) > 1e-6 * abs($1) }
      #expect(far <= 2)
    }
  }

  @Test("a quadratic is brought down as far as with full moments, within a quarter")
  func quadratic() throws {
    func distance(_ moments: AdamW.Moments) throws -> Double {
      var random = Random(seed: 5)
      let curvature = random.uniform([8192], in: 0.1..<10)
      let parameter = Parameter("w", random.normal([8192]))
      let noise = random.normal([8192], deviation: 0.01)
      let state = try OptimizerState(AdamW(moments: moments), [parameter])
      for step in 1...200 {
        let rate = Schedule.linear(peak: 0.06, steps: 200).rate(at: step)
        let noise = noise.scaled(by: step % 2 == 0 ? 1 : -1)
        state.update(parameter, parameter.value * curvature + noise, rate: rate, step: step)
      }
      return parameter.value.sumOfSquares().squareRoot()
    }
    let (full, coded) = (try distance(.full), try distance(.eightBit))
    #expect(full < 0.3)  // From 90 at the start.
    #expect(coded < 1.25 * full, "\(coded) and \(full)")
  }

  @Test("small parameters and float64 keep full moments")
  func exceptions() {
    let rule = AdamW(moments: .eightBit)
    #expect(rule.slots(shape: [4095], dtype: .float32).count == 2)
    #expect(rule.slots(shape: [4096], dtype: .float32).count == 4)
    #expect(rule.slots(shape: [4096], dtype: .float64).map(\.dtype) == [.float64, .float64])
  }

  @Test("a second moment above zero does not become zero")
  func floor() throws {
    let parameter = Parameter("w", Tensor(zeros: [4096]))
    let state = try OptimizerState(AdamW(moments: .eightBit), [parameter])
    var gradient = [Float](repeating: 1e-9, count: 4096)
    gradient[0] = 1
    for step in 1...3 { state.update(parameter, Tensor(gradient), rate: 0.1, step: step) }
    let codes = state.tensors[2].tensor.elements(as: UInt8.self)
    #expect(codes.allSatisfy { $0 > 0 })
    #expect(parameter.value.largestMagnitude() < 0.4)
  }
}
