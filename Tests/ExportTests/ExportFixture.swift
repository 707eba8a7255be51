import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

/// Quantizes the matrices that a pattern matches.
func quantize(_ model: LanguageModel, _ pattern: String, _ grid: Grid) throws {
  for linear in model.matrices where NamePattern(pattern).matches(linear.name) {
    linear.weight = try roundToNearest(linear.weight.matrix, grid: grid, layer: linear.name).weight
  }
}

/// Writes a model and compares the file with it and with the plan.
@discardableResult
func export(_ model: LanguageModel, _ format: some ExportFormat, to url: URL) throws
  -> LanguageModel
{
  let conversion = ModelConversion(model, to: format)
  #expect(conversion.plan.problems.isEmpty)
  let summary = try conversion.write(to: url)
  #expect(summary.tensorByteCount == conversion.plan.byteCount)
  return try ModelLoader.load(url)
}

/// The weights of every matrix, by name.
func dense(_ model: LanguageModel) -> [String: [Float]] {
  Dictionary(
    uniqueKeysWithValues: model.matrices.map { ($0.name, $0.weight.dense.elements(as: Float.self)) }
  )
}

/// Checks that two models have the same numbers in every matrix, bias and normalization.
func expectSameNumbers(_ a: LanguageModel, _ b: LanguageModel) {
  #expect(dense(a) == dense(b))
  for (x, y) in zip(a.matrices, b.matrices) {
    #expect(
      x.bias?.converted(to: .float32).elements(as: Float.self)
        == y.bias?.converted(to: .float32).elements(as: Float.self)
    )
  }
  for (x, y) in zip(a.norms, b.norms) {
    #expect(
      x.weight.converted(to: .float32).elements(as: Float.self)
        == y.weight.converted(to: .float32).elements(as: Float.self)
    )
  }
}

let variants: [TinyModel.Variant] = [
  .init(), .init(tiesEmbeddings: false), .init(hasBias: true, dtype: .bfloat16),
  .init(dtype: .float16, scalesRotation: true),
]
