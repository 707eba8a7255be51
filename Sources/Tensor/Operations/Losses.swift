internal import CKernels

extension Tensor {
  /// Returns the mean cross-entropy of rows of logits with the tokens that follow, in nats.
  ///
  ///     loss = Σ w · (log Σ exp(x) − Σ q ⊙ x) / Σ w      over the rows with a target
  ///
  /// where `q` is `1 − smoothing` at the target plus `smoothing / V` everywhere. Keeps `self`, not
  /// the probabilities, until the backward pass.
  ///
  /// - Parameters:
  ///   - targets: The token of each row, `M` of them, in `0..<V`; rows with a negative one do not
  ///     count.
  ///   - weights: The weight of each row, from 0; 1 each if nil.
  ///   - smoothing: The share of probability spread over all tokens, in `0...1`.
  /// - Returns: `[]`, of the dtype of `self`; 0 if no row counts.
  /// - Precondition: `self` is `[..., V]` with `M` rows, `float32` or `float64`.
  /// - Complexity: Two passes over `self`; beyond the result, two numbers a row.
  ///
  /// Source: Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, 2015,
  /// arXiv:1512.00567, section 7, for the smoothing.
  public func crossEntropy(
    targets: [Int32],
    weights: [Double]? = nil,
    smoothing: Double = 0
  ) -> Tensor {
    requireReal("crossEntropy")
    let (rows, columns) = (shape.rows, shape.columns)
    require(
      shape.rank > 0 && columns > 0 && targets.count == rows
        && targets.allSatisfy { $0 < columns },
      "crossEntropy: \(targets.count) targets up to \(targets.max() ?? 0) for \(shape)"
    )
    require(smoothing >= 0 && smoothing <= 1, "crossEntropy: smoothing \(smoothing)")
    let shares = Self.shares(of: targets.map { $0 >= 0 }, weights, "crossEntropy")
    let x = detached
    let numbers = Tensor(uninitialized: [2, rows], dtype: .float64)
    withKernel(rows, grain: rowGrain(4 * columns), keeping: [x, numbers]) { range in
      let (first, count, width) = (range.lowerBound, Int64(range.count), Int64(columns))
      let (logarithms, losses) = (numbers.doubles(first), numbers.doubles(rows + first))
      targets.withUnsafeBufferPointer { targets in
        guard let target = targets.baseAddress.map({ $0 + first }) else { return }
        if isSingle {
          let row = x.floats(first * columns)
          slm_cross_entropy_f32(row, target, count, width, smoothing, logarithms, losses)
        } else {
          let row = x.doubles(first * columns)
          slm_cross_entropy_f64(row, target, count, width, smoothing, logarithms, losses)
        }
      }
    }
    return numbers.rows(1..<2).weighted(by: shares, dtype).recorded("crossEntropy", [self]) {
      dy,
      _ in
      [x.crossEntropyGradient(targets, smoothing, numbers, shares.map { $0 * dy.scalar })]
    }
  }

  private func crossEntropyGradient(
    _ targets: [Int32],
    _ smoothing: Double,
    _ logarithms: Tensor,
    _ factors: [Double]
  ) -> Tensor {
    let dx = Tensor(uninitialized: shape, dtype: dtype)
    let columns = shape.columns
    let factors = Tensor(factors)
    withKernel(shape.rows, grain: rowGrain(4 * columns), keeping: [self, logarithms, factors]) {
      range in
      let (first, count, width) = (range.lowerBound, Int64(range.count), Int64(columns))
      let (logarithm, factor) = (logarithms.doubles(first), factors.doubles(first))
      let place = first * columns
      targets.withUnsafeBufferPointer { targets in
        guard let target = targets.baseAddress.map({ $0 + first }) else { return }
        if isSingle {
          let (x, out) = (floats(place), dx.floats(place))
          slm_cross_entropy_gradient_f32(
            x,
            target,
            count,
            width,
            smoothing,
            logarithm,
            factor,
            out
          )
        } else {
          let (x, out) = (doubles(place), dx.doubles(place))
          slm_cross_entropy_gradient_f64(
            x,
            target,
            count,
            width,
            smoothing,
            logarithm,
            factor,
            out
          )
        }
      }
    }
    return dx
  }

  /// Returns the mean Kullback–Leibler divergence of rows of logits from those of a reference, in
  /// nats.
  ///
  ///     loss = Σ w · (Σ p · log(p / q)) / Σ w      p = softmax(reference / τ), q = softmax(x / τ)
  ///
  /// The reference is a constant. The gradient by the logits falls with `1/τ²`; multiply the loss
  /// by `τ²` to keep it comparable with other losses, as its authors do. Keeps both logits until
  /// the backward pass.
  ///
  /// - Parameters:
  ///   - reference: The reference model's logits, of the shape and dtype of `self`.
  ///   - temperature: `τ`, positive.
  ///   - weights: The weight of each row, from 0; 1 each if nil.
  /// - Returns: `[]`, of the dtype of `self`; 0 if no row counts.
  /// - Precondition: `self` is `[..., V]`, `float32` or `float64`, and rows are not empty.
  /// - Complexity: Five passes over both; beyond the result, three numbers a row.
  ///
  /// Source: Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*, 2015,
  /// arXiv:1503.02531, section 2.
  public func klDivergence(
    from reference: Tensor,
    temperature: Double = 1,
    weights: [Double]? = nil
  ) -> Tensor {
    requireReal("klDivergence")
    requirePartner("klDivergence", reference, shape)
    let (rows, columns) = (shape.rows, shape.columns)
    require(
      shape.rank > 0 && columns > 0 && temperature > 0 && temperature.isFinite,
      "klDivergence: \(shape) at temperature \(temperature)"
    )
    let shares = Self.shares(of: Array(repeating: true, count: rows), weights, "klDivergence")
    let (x, constant) = (detached, reference.detached)
    let scale = 1 / temperature
    let logarithms = Tensor(uninitialized: [rows, 2], dtype: .float64)
    let losses = Tensor(uninitialized: [rows], dtype: .float64)
    let grain = rowGrain(8 * columns)
    withKernel(rows, grain: grain, keeping: [x, constant, logarithms, losses]) { range in
      let (first, count, width) = (range.lowerBound, Int64(range.count), Int64(columns))
      let (logarithm, loss) = (logarithms.doubles(2 * first), losses.doubles(first))
      let place = first * columns
      if isSingle {
        let (x, other) = (x.floats(place), constant.floats(place))
        slm_divergence_f32(x, other, count, width, scale, logarithm, loss)
      } else {
        let (x, other) = (x.doubles(place), constant.doubles(place))
        slm_divergence_f64(x, other, count, width, scale, logarithm, loss)
      }
    }
    return losses.weighted(by: shares, dtype).recorded("klDivergence", [self]) { dy, _ in
      let factors = Tensor(shares.map { $0 * dy.scalar * scale })
      let dx = Tensor(uninitialized: x.shape, dtype: x.dtype)
      withKernel(rows, grain: grain, keeping: [x, constant, logarithms, factors]) { range in
        let (first, count, width) = (range.lowerBound, Int64(range.count), Int64(columns))
        let (logarithm, factor) = (logarithms.doubles(2 * first), factors.doubles(first))
        let place = first * columns
        if x.isSingle {
          let (x, other, out) = (x.floats(place), constant.floats(place), dx.floats(place))
          slm_divergence_gradient_f32(x, other, count, width, scale, logarithm, factor, out)
        } else {
          let (x, other, out) = (x.doubles(place), constant.doubles(place), dx.doubles(place))
          slm_divergence_gradient_f64(x, other, count, width, scale, logarithm, factor, out)
        }
      }
      return [dx]
    }
  }

  /// Each row's share in a weighted mean; all 0 if nothing counts.
  private static func shares(
    of counted: [Bool],
    _ weights: [Double]?,
    _ operation: StaticString
  ) -> [Double] {
    require(
      weights.map { $0.count == counted.count && $0.allSatisfy { $0 >= 0 } } ?? true,
      "\(operation): \(weights?.count ?? 0) weights for \(counted.count) rows, or negative ones"
    )
    let shares = counted.indices.map { counted[$0] ? weights?[$0] ?? 1 : 0 }
    let sum = shares.reduce(0, +)
    return sum > 0 ? shares.map { $0 / sum } : shares
  }

  /// The weighted sum of one number a row, `float64`.
  ///
  /// Rows without a share do not count, whatever their number.
  private func weighted(by shares: [Double], _ dtype: DType) -> Tensor {
    let sum = zip(elements(as: Double.self), shares).reduce(0) {
      $1.1 == 0 ? $0 : $0 + $1.0 * $1.1
    }
    return Tensor([sum], shape: []).converted(to: dtype)
  }
}
