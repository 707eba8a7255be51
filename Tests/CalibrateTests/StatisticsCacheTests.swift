import Foundation
import Models
import Pipeline
import TestSupport
import Testing

@testable import Calibrate

@Suite("Kept statistics")
struct StatisticsCacheTests {
  @Test("files that are gone are told from those that cannot be written")
  func errors() throws {
    let tiny = try TinyModel()
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 1,
      folder: tiny.url,
      exportURL: tiny.result("export"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    let set = CalibrationSet([[1, 2, 3]], name: "numbers")
    let cache = try StatisticsCache(try tiny.load(), set, context)
    #expect(!cache.isComplete)
    #expect { try cache.read(0) } throws: { ($0 as? CalibrateError)?.code == .unreadable }
    // A file stands where the folder would be made.
    try Data().write(to: tiny.result("cache"))
    #expect { try cache.write([], block: 0) } throws: {
      ($0 as? CalibrateError)?.code == .unwritable
    }
  }
}
