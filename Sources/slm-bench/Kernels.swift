internal import Foundation
internal import Tensor

/// The speed of the kernels on the shapes of SmolLM2-135M.
struct Kernels {
  typealias Figure = (name: String, value: Double)

  /// The fewest runs of each measurement; short ones are run more often.
  var repetitions: Int

  /// Measures everything.
  func measured() -> [Figure] {
    products() + stripProducts() + denseProducts() + attention() + rows()
  }

  private func best(_ estimate: Double, _ body: () -> Void) -> Double {
    seconds(runs: max(repetitions, min(400, Int(0.03 / estimate))), body)
  }

  /// Products with a weight in its stored forms, by the number of rows of x.
  private func products() -> [Figure] {
    var figures: [Figure] = []
    for (outputs, inputs) in [(576, 576), (192, 576), (1536, 576), (576, 1536), (49152, 576)] {
      var random = Random(seed: 1)
      let weight = random.uniform([outputs, inputs], in: -1..<1)
      let forms = storedForms(of: weight)
      for rows in [512, 16, 4, 1] {
        let x = random.uniform([rows, inputs], in: -1..<1)
        let work = 2 * Double(rows * outputs * inputs)
        let name = "product_\(rows)x\(outputs)x\(inputs)"
        for (form, matrix) in forms {
          let time = best(work / 2e11) { _ = x.multiplied(by: matrix) }
          figures.append(("\(name)_\(form)", work / time / 1e9))
        }
        for (form, matrix) in integerForms(outputs, inputs) {
          let time = best(work / 2e11) { _ = x.multipliedInIntegers(by: matrix) }
          figures.append(("\(name)_\(form)", work / time / 1e9))
        }
        let time = best(work / 2e11) { _ = MachineCeiling.openBLASProduct(x, weight) }
        figures.append(("\(name)_openblas", work / time / 1e9))
      }
    }
    return figures
  }

  /// Products of few rows with a weight of which blocks of 16 rows and one column are zero, beside
  /// the same products with the zeros in them.
  private func stripProducts() -> [Figure] {
    var figures: [Figure] = []
    for (outputs, inputs) in [(576, 576), (1536, 576), (576, 1536), (2048, 8192)] {
      for (percent, dtype) in [
        (25, DType.float32), (50, .float32), (75, .float32), (25, .bfloat16), (50, .bfloat16),
      ] {
        var random = Random(seed: 1)
        var weight = random.uniform([outputs, inputs], in: 1..<2)
        let chosen = random.uniform([outputs / 16, inputs], in: 0..<1).elements(as: Float.self)
        weight.withMutableElements(as: Float.self) { values in
          for index in values.indices {
            let block = index / inputs / 16 * inputs + index % inputs
            if 100 * chosen[block] < Float(percent) { values[index] = 0 }
          }
        }
        let matrix = StoredMatrix(weight.converted(to: dtype))
        let strips = StripMatrix(matrix, leastSparsity: 0)
        for rows in [4, 2, 1] {
          let x = random.uniform([rows, inputs], in: -1..<1)
          let work = 2 * Double(rows * outputs * inputs)
          let name = "product_\(rows)x\(outputs)x\(inputs)_\(dtype)_16x1_\(percent)"
          let dense = best(work / 2e11) { _ = x.multiplied(by: matrix, bias: nil, strips: nil) }
          let sparse = best(work / 2e11) { _ = x.multiplied(by: matrix, bias: nil, strips: strips) }
          figures.append((name + "_dense", work / dense / 1e9))
          figures.append((name + "_strips", work / sparse / 1e9))
        }
      }
    }
    return figures
  }

  /// Codes of 8 bits with a scale for each row, and for groups of 64 columns.
  private func integerForms(_ rows: Int, _ columns: Int) -> [(String, StoredMatrix)] {
    [("int8_by_int8", columns), ("int8_by_int8_groups_of_64", 64)].map { form, size in
      let groups = [rows, columns / size]
      let codes = [UInt8](repeating: 0x5A, count: rows * columns)
      let matrix = StoredMatrix(
        codes: Tensor(codes, shape: [rows, columns]),
        bits: 8,
        groupSize: size,
        scales: Tensor(
          [Float](repeating: 0.01, count: groups[0] * groups[1]),
          shape: Shape(groups)
        ),
        columns: columns
      )
      return (form, matrix)
    }
  }

  private func storedForms(of weight: Tensor) -> [(String, StoredMatrix)] {
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    func blocks(_ format: BlockFormat) -> StoredMatrix {
      let byteCount = columns / format.blockLength * format.blockByteCount
      let bytes = [UInt8](repeating: 0x2C, count: rows * byteCount)
      return StoredMatrix(
        blocks: Tensor(bytes, shape: [rows, byteCount]),
        format: format,
        columns: columns
      )
    }
    let groups = columns / 64
    let codes = StoredMatrix(
      codes: Tensor(
        [UInt8](repeating: 0x5A, count: rows * columns / 2),
        shape: [rows, columns / 2]
      ),
      bits: 4,
      groupSize: 64,
      scales: Tensor([Float](repeating: 0.01, count: rows * groups), shape: [rows, groups]),
      columns: columns
    )
    return [
      ("float32", StoredMatrix(weight)),
      ("bfloat16", StoredMatrix(weight.converted(to: .bfloat16))),
      ("float16", StoredMatrix(weight.converted(to: .float16))),
      ("q8_0", blocks(.q8_0)), ("q4_0", blocks(.q4_0)), ("int4_groups_of_64", codes),
    ]
  }

  /// Products of two dense matrices with either side transposed, as training needs them.
  private func denseProducts() -> [Figure] {
    let (m, n, k) = (1024, 576, 1536)
    let work = 2 * Double(m * n * k)
    var figures: [Figure] = []
    for (first, second) in [(false, true), (false, false), (true, false)] {
      var random = Random(seed: 1)
      let a = random.uniform(first ? [k, m] : [m, k], in: -1..<1)
      let b = random.uniform(second ? [n, k] : [k, n], in: -1..<1)
      let name = "dense_\(m)x\(n)x\(k)\(first ? "_first" : "")\(second ? "_second" : "")"
      let own = best(work / 2e11) {
        _ = matrixProduct(a, b, firstTransposed: first, secondTransposed: second)
      }
      let openBLAS = best(work / 2e11) {
        _ = MachineCeiling.openBLASProduct(a, b, firstTransposed: first, secondTransposed: second)
      }
      let suffix = first || second ? "_transposed" : ""
      figures.append((name + suffix, work / own / 1e9))
      figures.append((name + suffix + "_openblas", work / openBLAS / 1e9))
    }
    return figures
  }

  private func attention() -> [Figure] {
    var random = Random(seed: 2)
    return [(512, 0), (2048, 0), (1, 511), (1, 4095)].map { tokens, start in
      let keys = start + tokens
      let q = random.normal([1, tokens, 9, 64])
      let (k, v) = (random.normal([1, keys, 3, 64]), random.normal([1, keys, 3, 64]))
      let time = best(1e-3) { _ = q.causalAttention(keys: k, values: v, start: start) }
      return ("attention_\(tokens)_tokens_from_\(start)_microseconds", time * 1e6)
    }
  }

  /// Loops over rows and elements, in microseconds.
  private func rows() -> [Figure] {
    var random = Random(seed: 3)
    let x = random.normal([1, 512, 9, 64])
    let flat = x.reshaped([512, 576])
    let weight = random.normal([576])
    let (gate, up) = (random.normal([512, 1536]), random.normal([512, 1536]))
    let angles = random.uniform([512, 32])
    let logits = random.normal([512, 2048], deviation: 3)
    let targets = [Int32](repeating: 17, count: 512)
    func figure(_ name: String, _ body: () -> Void) -> Figure {
      (name + "_microseconds", best(1e-4, body) * 1e6)
    }
    return [
      figure("rms_norm_512x576") { _ = flat.rmsNorm(weight: weight, epsilon: 1e-5) },
      figure("rotary_512x9x64") { _ = x.rotary(cosines: angles, sines: angles) },
      figure("swiglu_512x1536") { _ = gate.swiGLU(up: up) },
      figure("gelu_512x1536") { _ = gate.gelu() },
      figure("sum_512x576") { _ = flat + flat },
      figure("softmax_512x2048") { _ = logits.softmax() },
      figure("vocabulary_statistics_512x2048") {
        var statistics = VocabularyStatistics(targets: targets)
        statistics.add(logits, at: 0, reference: logits)
      },
      figure("to_bfloat16_512x1536") { _ = gate.converted(to: .bfloat16) },
      figure("parallel_region") { parallelRanges(8) { _ in } },
    ]
  }
}
