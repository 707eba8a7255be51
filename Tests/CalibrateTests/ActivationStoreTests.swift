import Foundation
import Tensor
import Testing

@testable import Calibrate

@Suite("Activations kept")
struct ActivationStoreTests {
  @Test("rows are read across chunks, in memory and in a file", arguments: [0, 1 << 20])
  func across(memory: Int) throws {
    var budget = memory
    let store = try ActivationStore(
      rows: 10,
      width: 3,
      chunk: 4,
      budget: &budget,
      scratch: FileManager.default.temporaryDirectory
    )
    #expect(budget == (memory == 0 ? 0 : memory - 10 * 3 * 4))
    let all = Tensor((0..<30).map(Float.init), shape: [10, 3])
    // The last chunk is shorter; parts of a larger tensor are given.
    for chunk in [0..<4, 4..<8, 8..<10] { try store.set(chunk, all.rows(chunk)) }
    for range in [0..<4, 1..<3, 3..<9, 0..<10, 9..<10] {
      let rows = try store.rows(range)
      #expect(rows.shape == [range.count, 3])
      #expect(rows.elements(as: Float.self) == all.rows(range).elements(as: Float.self))
    }
  }

  @Test("a chunk that was read stays what it was when another takes its place")
  func replaced() throws {
    var budget = 1 << 20
    let store = try ActivationStore(
      rows: 4,
      width: 2,
      chunk: 4,
      budget: &budget,
      scratch: FileManager.default.temporaryDirectory
    )
    try store.set(0..<4, Tensor(zeros: [2, 2, 2], dtype: .float32))
    let before = try store.rows(1..<3)
    try store.set(0..<4, Tensor((1...8).map(Float.init), shape: [4, 2]))
    #expect(before.elements(as: Float.self) == [0, 0, 0, 0])
    #expect(try store.rows(1..<3).elements(as: Float.self) == [3, 4, 5, 6])
  }
}
