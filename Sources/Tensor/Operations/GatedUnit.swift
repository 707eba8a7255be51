internal import CKernels

extension Tensor {
  /// Returns `silu(self) ⊙ up`, the gate of a Llama feed-forward block.
  ///
  /// `self` is the gate's projection and `up` the other one, of the same shape and dtype.
  ///
  /// Source: Shazeer, *GLU Variants Improve Transformer*, 2020, arXiv:2002.05202, equation 6.
  public func swiGLU(up: Tensor) -> Tensor { gated("swiGLU", SLM_SILU, up) }

  /// Returns `gelu(self) ⊙ up`, with the exact Gaussian error linear unit or its approximation
  /// by tanh (Gemma).
  ///
  /// Source: Shazeer, *GLU Variants Improve Transformer*, 2020, arXiv:2002.05202, equation 6.
  public func geGLU(up: Tensor, approximated: Bool = false) -> Tensor {
    gated("geGLU", approximated ? SLM_GELU_TANH : SLM_GELU, up)
  }

  private func gated(_ operation: StaticString, _ function: slm_unary, _ up: Tensor) -> Tensor {
    requireReal(operation)
    requirePartner(operation, up, shape)
    let y = Tensor(uninitialized: shape, dtype: dtype)
    let code = Int32(function.rawValue)
    withKernel(count, grain: elementGrain, keeping: [self, up]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_gated_f32(code, floats(first), up.floats(first), count, y.floats(first))
      } else {
        slm_gated_f64(code, doubles(first), up.doubles(first), count, y.doubles(first))
      }
    }
    return y
  }
}
