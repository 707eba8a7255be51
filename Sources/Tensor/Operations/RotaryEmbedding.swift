internal import CKernels

extension Tensor {
  /// Returns each head's channels turned in pairs by angles that grow with the token's position.
  ///
  ///     y[j]         = x[j] · cos θ − x[j + R/2] · sin θ      θ = angle[position, j], j < R/2
  ///     y[j + R/2]   = x[j + R/2] · cos θ + x[j] · sin θ
  ///
  /// Pairs lie half of the rotated channels apart, as Hugging Face and GPT-NeoX store them, not
  /// side by side as in the paper. Channels from `R` on stay as they are.
  ///
  /// - Parameters:
  ///   - cosines: cos θ for positions from 0, `[positions, R/2]`, of the dtype of `self`.
  ///   - sines: sin θ, of the same shape.
  ///   - start: The position of the first token, at least 0.
  /// - Returns: A tensor of the shape of `self`, `[B, T, H, C]`.
  /// - Precondition: The tables reach to position `start + T − 1`, `R` is at most `C`, and the
  ///   tables are constants for differentiation.
  /// - Complexity: One pass over `self`. The backward pass turns back and keeps the tables alone.
  ///
  /// Source: Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021,
  /// arXiv:2104.09864, equation 34.
  public func rotary(cosines: Tensor, sines: Tensor, start: Int = 0) -> Tensor {
    requireReal("rotary")
    require(
      shape.rank == 4 && cosines.shape.rank == 2 && 2 * cosines.shape[1] <= shape[3] && start >= 0
        && start + shape[1] <= cosines.shape[0],
      "rotary: angles \(cosines.shape) do not serve \(shape) from position \(start)"
    )
    requirePartner("rotary", cosines, sines.shape)
    requirePartner("rotary", sines, cosines.shape)
    cosines.requireConstant("rotary")
    sines.requireConstant("rotary")
    return detached.turned(cosines, sines, start, 1).recorded("rotary", [self]) { dy, _ in
      [dy.turned(cosines, sines, start, -1)]
    }
  }

  private func turned(_ cosines: Tensor, _ sines: Tensor, _ start: Int, _ direction: Double)
    -> Tensor
  {
    let (tokens, heads, channels, half) = (shape[1], shape[2], shape[3], cosines.shape[1])
    let y = Tensor(uninitialized: shape, dtype: dtype)
    let grain = rowGrain(heads * channels)
    for sequence in 0..<shape[0] {
      withKernel(tokens, grain: grain, keeping: [self, cosines, sines]) { range in
        let first = (sequence * tokens + range.lowerBound) * heads * channels
        let angle = (start + range.lowerBound) * half
        if isSingle {
          slm_rotary_f32(
            floats(first),
            Int64(range.count),
            Int64(heads),
            Int64(channels),
            Int64(2 * half),
            cosines.floats(angle),
            sines.floats(angle),
            Float(direction),
            y.floats(first)
          )
        } else {
          slm_rotary_f64(
            doubles(first),
            Int64(range.count),
            Int64(heads),
            Int64(channels),
            Int64(2 * half),
            cosines.doubles(angle),
            sines.doubles(angle),
            direction,
            y.doubles(first)
          )
        }
      }
    }
    return y
  }
}
