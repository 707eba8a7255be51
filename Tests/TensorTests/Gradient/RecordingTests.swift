import Tensor
import TestSupport
import Testing

@Suite("Recording")
struct RecordingTests {
  @Test("is off outside of differentiate, and for constants inside")
  func off() {
    let x = Parameter("x", Tensor([1, 2] as [Float]))
    #expect(!(x.value * x.value).isRecorded)
    _ = differentiate([x]) {
      let constant = Tensor([1, 2] as [Float])
      #expect(!(constant * constant).isRecorded)
      #expect(!x.value.detached.isRecorded)
      #expect((constant * x.value).isRecorded)
      #expect(!x.value.largestColumns().isRecorded)
      return x.value.summed()
    }
  }

  @Test("does not hold on to what backward rules do not need")
  func memory() {
    weak var owner: Bytes?
    let x = Parameter("x", Tensor([1, 2] as [Float]))
    _ = differentiate([x]) {
      let result: Tensor
      do {
        let kept = Bytes()
        owner = kept
        let constant = Tensor(
          borrowing: UnsafeRawBufferPointer(kept.bytes),
          owner: kept,
          shape: [2],
          dtype: .float32
        )
        result = x.value + constant
      }
      #expect(owner == nil)
      return result.summed()
    }
  }

  private final class Bytes {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
    init() { bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    deinit { bytes.deallocate() }
  }

  @Test("elements of a recorded tensor are plain numbers")
  func numbers() {
    let x = Parameter("x", Tensor([1, 2] as [Float]))
    let gradients = differentiate([x]) {
      #expect(x.value.sum() == 3)
      #expect(x.value.dot(x.value) == 5)
      return x.value.scaled(by: x.value.sum()).summed()
    }.gradients
    #expect(gradients[x]?.numbers == [3, 3])
  }

  @Test("changing a recorded tensor in place stops the program")
  func changes() async {
    await #expect(processExitsWith: .failure) {
      let x = Parameter("x", Tensor([1, 2] as [Float]))
      _ = differentiate([x]) {
        var value = x.value
        value.add(Tensor([1, 1] as [Float]))
        return value.summed()
      }
    }
    await #expect(processExitsWith: .failure) {
      let x = Parameter("x", Tensor([1, 2] as [Float]))
      _ = differentiate([x]) {
        var sum = Tensor([1, 2] as [Float])
        sum.add(x.value)
        return sum.summed()
      }
    }
  }

  @Test("dropout keeps the mean, draws anew for each seed and the same for each dtype")
  func dropout() {
    let x = Tensor(Array(repeating: 1 as Float, count: 100_000))
    let y = x.dropout(rate: 0.25, seed: 1)
    let zeros = y.numbers.count { $0 == 0 }
    #expect(abs(zeros - 25_000) < 600)
    #expect(y.numbers.allSatisfy { $0 == 0 || abs($0 - 4.0 / 3) < 1e-6 })
    let other = x.dropout(rate: 0.25, seed: 2)
    let both = zip(y.numbers, other.numbers).count { $0 == 0 && $1 == 0 }
    #expect(abs(both - 6250) < 400)
    let shifted = zip(y.numbers.dropFirst(), other.numbers).count { $0 == 0 && $1 == 0 }
    #expect(abs(shifted - 6250) < 400)
    let double = x.converted(to: .float64).dropout(rate: 0.25, seed: 1)
    #expect(difference(y, double.converted(to: .float32), relative: 1e-6) == nil)
    #expect(x.dropout(rate: 0, seed: 1).numbers == x.numbers)
  }
}
