internal import CKernels

extension Tensor {
  /// Returns each row divided by its root mean square and multiplied by a weight per channel.
  ///
  ///     r = (mean(x²) + epsilon)^(-1/2)        one number per row
  ///     y = r · x ⊙ (weight + offset)
  ///
  /// Backward, with g = (weight + offset) ⊙ dy:  dx = r·g − (r³/D)·⟨g, x⟩·x  and
  /// dweight = Σ_rows r · x ⊙ dy. Keeps `self` and `weight` until then; `r` is found again.
  ///
  /// - Parameters:
  ///   - weight: The scale of each channel, `[D]`, of the dtype of `self`; 1 if nil.
  ///   - epsilon: Added to the mean square, in squared units of `self`; Llama 3 uses 1e-5,
  ///     Qwen 2 1e-6.
  ///   - offset: Added to the weight; Gemma stores weights less 1.
  /// - Returns: A tensor of the shape of `self`, `[..., D]`.
  /// - Precondition: Both dtypes are `float32` or `float64`.
  /// - Complexity: Two passes over `self`; no memory beyond the result.
  ///
  /// Source: Zhang and Sennrich, *Root Mean Square Layer Normalization*, 2019,
  /// arXiv:1910.07467, equation 4. Differs from it in adding `epsilon` inside the root, as
  /// Llama does.
  public func rmsNorm(weight: Tensor?, epsilon: Double, offset: Double = 0) -> Tensor {
    requireReal("rmsNorm")
    let columns = shape.columns
    if let weight { requirePartner("rmsNorm", weight, [columns]) }
    let (x, scale) = (detached, weight?.detached)
    return x.rootNormalized(scale, epsilon, offset)
      .recorded(
        "rmsNorm",
        [self] + (weight.map { [$0] } ?? []),
        accumulating: { dy, slots in
          x.sendRootGradients(dy, scale, epsilon, offset, to: slots)
        }
      )
  }

  private func rootNormalized(_ weight: Tensor?, _ epsilon: Double, _ offset: Double) -> Tensor {
    let columns = shape.columns
    let y = Tensor(uninitialized: shape, dtype: dtype)
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self, weight]) { rows in
      let (count, first) = (Int64(rows.count), rows.lowerBound * columns)
      if isSingle {
        slm_rms_norm_f32(
          floats(first),
          count,
          Int64(columns),
          weight?.floats(0),
          Float(offset),
          epsilon,
          y.floats(first)
        )
      } else {
        slm_rms_norm_f64(
          doubles(first),
          count,
          Int64(columns),
          weight?.doubles(0),
          offset,
          epsilon,
          y.doubles(first)
        )
      }
    }
    return y
  }

  private func sendRootGradients(
    _ dy: Tensor,
    _ weight: Tensor?,
    _ epsilon: Double,
    _ offset: Double,
    to slots: GradientSlots
  ) {
    let columns = shape.columns
    let weightGradients = WeightGradients(
      for: self,
      isNeeded: weight != nil && slots.isNeeded(1)
    )
    let partial = weightGradients.partial
    func run(_ dx: Tensor?, accumulating: Bool) {
      weightGradients.eachBlock(keeping: [self, dy, weight, dx]) { block, rows in
        let (count, first) = (Int64(rows.count), rows.lowerBound * columns)
        if isSingle {
          slm_rms_norm_gradient_f32(
            floats(first),
            dy.floats(first),
            count,
            Int64(columns),
            weight?.floats(0),
            Float(offset),
            epsilon,
            accumulating,
            dx?.floats(first),
            partial?.floats(block * columns)
          )
        } else {
          slm_rms_norm_gradient_f64(
            doubles(first),
            dy.doubles(first),
            count,
            Int64(columns),
            weight?.doubles(0),
            offset,
            epsilon,
            accumulating,
            dx?.doubles(first),
            partial?.doubles(block * columns)
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
  }
}
