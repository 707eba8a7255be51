import Export
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("planned sizes of files whose formats are chosen later")
struct PlannedSizeTests {
  private let promise: ModelPromise
  private let size: Int

  init() throws {
    let fixture = try AllocationFixture()
    let (smallest, largest) = try fixture.range()
    size = (smallest + largest) / 2
    var promise = ModelPromise(try fixture.tiny.load().outline)
    #expect(AllocateStage(AllocationFixture.options(size)).check(&promise).isEmpty)
    self.promise = promise
  }

  private func planned(_ promise: ModelPromise, _ type: GGUFTensorType) -> Int? {
    var options = GGUFExportOptions()
    options.type = type
    return GGUFExportStage(options).plan(promise).outputByteCount
  }

  @Test("a file with the formats that are chosen has at most the budget")
  func kept() {
    #expect(promise.fileByteCountAtMost == size && promise.byteCount > size)
    #expect(promise.smallest.byteCount < size)
    #expect(planned(promise, .lossless) == size)
  }

  @Test("a file in one type has the size of that type")
  func converted() {
    var plain = promise
    plain.budget = nil
    #expect(planned(promise, .f16) == planned(plain, .f16))
    #expect(planned(promise, .f16) != size)
  }

  @Test("a stage that gives some of the matrices other formats ends the budget")
  func changed() {
    var changed = promise
    changed.update(["model.layers.0.mlp.up_proj"]) { $0.format = .elements(.float32) }
    #expect(changed.fileByteCountAtMost == nil)
    #expect(planned(changed, .lossless).map { $0 > size } == true)
  }

  @Test("a limit of the divergence says nothing of sizes")
  func divergence() throws {
    var options = AllocationFixture.options()
    options.klAtMost = 0.1
    var promise = ModelPromise(try AllocationFixture().tiny.load().outline)
    #expect(AllocateStage(options).check(&promise).isEmpty)
    #expect(promise.fileByteCountAtMost == nil)
    #expect(planned(promise, .lossless).map { $0 >= promise.byteCount } == true)
  }
}
