internal import CKernels

extension Tensor {
  /// Returns `silu(self) ⊙ up`, the gate of a Llama feed-forward block.
  ///
  /// `self` is the gate's projection and `up` the other one, of the same shape and dtype. Both stay
  /// until the backward pass, the result does not.
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

  /// Returns `max(self, 0) ⊙ up`.
  ///
  /// Source: Shazeer, *GLU Variants Improve Transformer*, 2020, arXiv:2002.05202, equation 5.
  public func reGLU(up: Tensor) -> Tensor { gated("reGLU", SLM_RELU, up) }

  private func gated(_ operation: StaticString, _ function: slm_unary, _ up: Tensor) -> Tensor {
    requireReal(operation)
    requirePartner(operation, up, shape)
    let code = Int32(function.rawValue)
    let (gate, keptUp) = (detached, up.kept(for: self))
    return gate.gateProduct(code, up.detached).recorded(operation, [self, up]) { dy, needs in
      guard let keptUp else { return [nil, gate.gateProduct(code, dy)] }
      guard needs[1] else {
        guard let function = PointwiseFunction(rawValue: code) else { fail("gate \(code)") }
        return [gate.gradient(of: function, dy * keptUp), nil]
      }
      return gate.gateGradients(code, keptUp, dy)
    }
  }

  private func gateGradients(_ code: Int32, _ up: Tensor, _ dy: Tensor) -> [Tensor?] {
    let (dgate, dup) = (
      Tensor(uninitialized: shape, dtype: dtype), Tensor(uninitialized: shape, dtype: dtype)
    )
    withKernel(count, grain: elementGrain, keeping: [self, up, dy]) { range in
      let (count, i) = (Int64(range.count), range.lowerBound)
      if isSingle {
        let (x, u, g) = (floats(i), up.floats(i), dy.floats(i))
        slm_gated_gradient_f32(code, x, u, g, count, dgate.floats(i), dup.floats(i))
      } else {
        let (x, u, g) = (doubles(i), up.doubles(i), dy.doubles(i))
        slm_gated_gradient_f64(code, x, u, g, count, dgate.doubles(i), dup.doubles(i))
      }
    }
    return [dgate, dup]
  }

  private func gateProduct(_ code: Int32, _ up: Tensor) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
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
