internal import CKernels

extension Tensor {
  /// Returns each row shifted to mean 0, scaled to variance 1, and mapped per channel.
  ///
  ///     y = (x − mean) · (variance + epsilon)^(-1/2) ⊙ weight + bias
  ///
  /// - Parameters:
  ///   - weight: The scale of each channel, `[D]`, of the dtype of `self`.
  ///   - bias: What is added to each channel, `[D]`; 0 if nil.
  ///   - epsilon: Added to the variance (of the row as a population), in squared units of `self`;
  ///     GPT-2 uses 1e-5.
  /// - Returns: A tensor of the shape of `self`, `[..., D]`.
  /// - Precondition: All dtypes are `float32` or `float64`.
  /// - Complexity: Three passes over `self`; no memory beyond the result.
  ///
  /// Source: Ba, Kiros and Hinton, *Layer Normalization*, 2016, arXiv:1607.06450, section 3.
  public func layerNorm(weight: Tensor, bias: Tensor?, epsilon: Double) -> Tensor {
    requireReal("layerNorm")
    let columns = shape.columns
    requirePartner("layerNorm", weight, [columns])
    if let bias { requirePartner("layerNorm", bias, [columns]) }
    let y = Tensor(uninitialized: shape, dtype: dtype)
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self, weight, bias]) { rows in
      let (count, first) = (Int64(rows.count), rows.lowerBound * columns)
      if isSingle {
        slm_layer_norm_f32(
          floats(first),
          count,
          Int64(columns),
          weight.floats(0),
          bias?.floats(0),
          epsilon,
          y.floats(first)
        )
      } else {
        slm_layer_norm_f64(
          doubles(first),
          count,
          Int64(columns),
          weight.doubles(0),
          bias?.doubles(0),
          epsilon,
          y.doubles(first)
        )
      }
    }
    return y
  }
}
