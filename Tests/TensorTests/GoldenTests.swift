import Tensor
import TestSupport
import Testing

@Suite("Operations as PyTorch computes them")
struct GoldenTests {
  let golden: Golden
  init() throws { golden = try Golden("operations.safetensors") }

  @Test("normalize rows alike")
  func rows() {
    let (x, weight) = (golden["x"], golden["weight"])
    let large = x.scaled(by: 4)
    #expect(
      difference(x.rmsNorm(weight: weight, epsilon: 1e-5), golden["rms_norm"], absolute: 2e-6)
        == nil
    )
    #expect(
      difference(
        x.layerNorm(weight: weight, bias: golden["bias"], epsilon: 1e-5),
        golden["layer_norm"],
        absolute: 4e-6
      ) == nil
    )
    #expect(difference(large.softmax(), golden["softmax"], relative: 2e-6, absolute: 1e-9) == nil)
    #expect(difference(large.logSoftmax(), golden["log_softmax"], relative: 1e-6) == nil)
    #expect(difference(large.logSumExp(), golden["log_sum_exp"], relative: 1e-6) == nil)
  }

  @Test("activate alike")
  func activations() {
    let x = golden["x"].scaled(by: 3)
    #expect(difference(x.gelu(), golden["gelu"], absolute: 1e-6) == nil)
    #expect(difference(x.gelu(approximated: true), golden["gelu_tanh"], absolute: 1e-6) == nil)
    #expect(difference(x.silu(), golden["silu"], absolute: 1e-6) == nil)
  }

  @Test("turn heads by their positions alike")
  func rotary() {
    let y = golden["heads"].rotary(cosines: golden["cosines"], sines: golden["sines"])
    #expect(difference(y, golden["rotary"], absolute: 1e-6) == nil)
  }

  @Test("attend alike, with and without a window")
  func attention() {
    let (q, k, v) = (golden["queries"], golden["keys"], golden["values"])
    #expect(
      difference(q.causalAttention(keys: k, values: v), golden["attention"], absolute: 3e-6) == nil
    )
    #expect(
      difference(
        q.causalAttention(keys: k, values: v, window: 12),
        golden["attention_window"],
        absolute: 3e-6
      ) == nil
    )
  }

  @Test(
    "round to narrow types alike, bit by bit",
    arguments: [
      (DType.float16, "float16"), (.bfloat16, "bfloat16"), (.float8E4M3, "float8_e4m3fn"),
      (.float8E5M2, "float8_e5m2"),
    ]
  )
  func casts(dtype: DType, name: String) {
    let bytes = golden["numbers"].converted(to: dtype).withBytes { Array($0) }
    #expect(bytes == golden["to_\(name)"].elements(as: UInt8.self))
  }
}
