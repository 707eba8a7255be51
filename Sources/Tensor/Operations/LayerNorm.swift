internal import CKernels

extension Tensor {
  /// Returns each row shifted to mean 0, scaled to variance 1, and mapped per channel.
  ///
  ///     y = (x − mean) · (variance + epsilon)^(-1/2) ⊙ weight + bias
  ///
  /// Keeps `self` and `weight` until the backward pass; mean and variance are found again.
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
    let (x, scale) = (detached, weight.detached)
    return x.layerNormalized(scale, bias?.detached, epsilon)
      .recorded(
        "layerNorm",
        [self, weight] + (bias.map { [$0] } ?? []),
        accumulating: {
          dy,
          slots in
          x.sendLayerGradients(dy, scale, epsilon, hasBias: slots.needs.count == 3, to: slots)
        }
      )
  }

  private func layerNormalized(_ weight: Tensor, _ bias: Tensor?, _ epsilon: Double) -> Tensor {
    let columns = shape.columns
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

  private func sendLayerGradients(
    _ dy: Tensor,
    _ weight: Tensor,
    _ epsilon: Double,
    hasBias: Bool,
    to slots: GradientSlots
  ) {
    let columns = shape.columns
    let weightGradients = WeightGradients(for: self, isNeeded: slots.isNeeded(1))
    let biasGradients = WeightGradients(for: self, isNeeded: hasBias && slots.isNeeded(2))
    let (partial, biasPartial) = (weightGradients.partial, biasGradients.partial)
    func run(_ dx: Tensor?, accumulating: Bool) {
      weightGradients.eachBlock(keeping: [self, dy, weight, dx, biasPartial]) { block, rows in
        let (count, first) = (Int64(rows.count), rows.lowerBound * columns)
        if isSingle {
          slm_layer_norm_gradient_f32(
            floats(first),
            dy.floats(first),
            count,
            Int64(columns),
            weight.floats(0),
            epsilon,
            accumulating,
            dx?.floats(first),
            partial?.floats(block * columns),
            biasPartial?.floats(block * columns)
          )
        } else {
          slm_layer_norm_gradient_f64(
            doubles(first),
            dy.doubles(first),
            count,
            Int64(columns),
            weight.doubles(0),
            epsilon,
            accumulating,
            dx?.doubles(first),
            partial?.doubles(block * columns),
            biasPartial?.doubles(block * columns)
          )
        }
      }
    }
    if slots.isNeeded(0) {
      slots.accumulate(into: 0, shape: shape, dtype: dtype) { run($0, accumulating: !$1) }
    } else {
      run(nil, accumulating: false)
    }
    weightGradients.send(to: 1, of: slots)
    biasGradients.send(to: 2, of: slots)
  }
}
