import Models
import Tensor
import TestSupport
import Testing

@Suite("Moving scales between layers")
struct ScalingPairTests {
  private static let variants: [TinyModel.Variant] = [
    .init(), .init(tiesEmbeddings: false), .init(hasBias: true),
    .init(hasBias: true, scalesRotation: true),
  ]
  private let tokens = [(0..<24).map { Int32($0 * 11 % 250) }]

  @Test("random scales on every pair leave the outputs as they are", arguments: variants)
  func preserved(variant: TinyModel.Variant) throws {
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    let expected = model.logits(model.hidden(tokens))
    let weights = model.linears.map(\.weight.dense)
    var random = TinyRandom(seed: 3)
    for index in model.blocks.indices {
      let pairs = model.scalingPairs(ofBlock: index)
      #expect(pairs.map(\.scaleCount) == [64, 32, 64, 96])
      for pair in pairs {
        let scales = (0..<pair.scaleCount).map { _ in
          Float.random(in: 0.25..<4, using: &random)
        }
        pair.apply(scales)
      }
    }
    let actual = model.logits(model.hidden(tokens))
    #expect(difference(actual, expected, relative: 1e-5, absolute: 1e-5) == nil)
    for (linear, before) in zip(model.linears, weights) {
      #expect(linear.weight.format == .elements(.float32))
      #expect(difference(linear.weight.dense, before, relative: 0.01) != nil, "\(linear.name)")
    }
  }

  @Test("columns that read one value channel share their scale")
  func sharing() throws {
    let pair = try TinyModel().load().scalingPairs(ofBlock: 0)[1]
    // Four query heads of 16 channels, two of them for each key head.
    let columns = pair.columnScales((0..<32).map(Float.init))
    let expected = [0..<16, 0..<16, 16..<32, 16..<32].flatMap { $0.map(Float.init) }
    #expect(columns == expected)
    let values = columns.indices.map { $0 < 16 ? 3.0 : 1 }
    #expect(pair.means(ofColumns: values) == (0..<32).map { $0 < 16 ? 2 : 1 })
    #expect(pair.maxima(ofColumns: values) == (0..<32).map { $0 < 16 ? 3 : 1 })
  }

  @Test("attainable scales divide a bfloat16 normalization without rounding")
  func attainable() throws {
    let model = try TinyModel(.init(dtype: .bfloat16)).load()
    let pair = model.scalingPairs(ofBlock: 0)[0]
    let norm = model.blocks[0].attentionNorm
    let before = norm.weight.converted(to: .float32)
    let wanted = (0..<64).map { 0.5 + Float($0) / 20 }
    let scales = pair.attainable(wanted)
    for (scale, want) in zip(scales, wanted) { #expect(abs(scale / want - 1) < 1 / 256) }
    pair.apply(scales)
    #expect(norm.weight.dtype == .bfloat16)
    let restored = norm.weight.converted(to: .float32) * Tensor(scales)
    #expect(difference(restored, before, relative: 1e-6) == nil)
  }
}
