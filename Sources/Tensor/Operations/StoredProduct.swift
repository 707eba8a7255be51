internal import CKernels

extension Tensor {
  /// Returns the product with the transpose of a weight that is not trained, `x · Wᵀ + bias`.
  ///
  /// Each output is summed by one thread in one order, so results do not depend on the number of
  /// threads. `float32` throughout, or `float64` if `self` is.
  ///
  /// Backward: dx = dy · W, the weight widened 1024 rows at a time unless it is stored in the
  /// dtype of `self`, and dbias = Σ_rows dy.
  ///
  /// - Parameters:
  ///   - weight: `[N, K]`, in any stored form.
  ///   - bias: What is added to each output, `[N]`, of the dtype of `self`.
  /// - Returns: `[..., N]` for `[..., K]`.
  /// - Precondition: The last axis of `self` is `K`, of `float32` or `float64`.
  /// - Complexity: `2·M·N·K` operations; beyond the result a packed copy of `self`, and 400 KB a
  ///   thread. For `float64`, the whole widened weight.
  public func multiplied(by weight: StoredMatrix, bias: Tensor? = nil) -> Tensor {
    requireReal("multiplied")
    require(
      shape.rank > 0 && shape.columns == weight.columns,
      "multiplied: \(shape) by the transpose of [\(weight.rows), \(weight.columns)]"
    )
    require(
      bias.map { $0.shape == [weight.rows] && $0.dtype == dtype } ?? true,
      "multiplied: bias is not [\(weight.rows)] of \(dtype)"
    )
    let result = Tensor(
      uninitialized: shape.replacingColumns(with: weight.rows),
      dtype: dtype
    )
    if dtype == .float32 {
      OperationClock.measure("matrix product") { store(weight, bias, into: result) }
    } else {
      storeProduct(
        MatrixFactor(self),
        MatrixFactor(weight.widened().converted(to: dtype), transposed: true),
        into: result,
        accumulating: false,
        bias: bias?.detached
      )
    }
    let (inputShape, type) = (shape, dtype)
    return result.recorded(
      "multiplied",
      [self] + (bias.map { [$0] } ?? []),
      accumulating: { gradient, slots in
        slots.accumulate(into: 0, shape: inputShape, dtype: type) { buffer, isEmpty in
          weight.storeInputGradient(of: gradient, into: buffer, accumulating: !isEmpty)
        }
        if slots.nodes.count == 2 && slots.isNeeded(1) {
          slots.add(gradient.columnSums().converted(to: type), to: 1)
        }
      }
    )
  }

  private func store(_ weight: StoredMatrix, _ bias: Tensor?, into result: Tensor) {
    weight.withKernelMatrix { matrix in
      var product = slm_product()
      product.rows = Int64(shape.rows)
      product.outputs = Int64(weight.rows)
      product.depth = Int64(weight.columns)
      product.weight = matrix
      product.bias = bias.map { $0.unsafeFloats }
      product.y = result.unsafeMutableFloats
      product.y_step = Int64(weight.rows)
      multiplyByPanels(
        product,
        PanelSource(base: unsafeFloats, rowStep: shape.columns, depthStep: 1)
      )
    }
    withExtendedLifetime((self, bias)) {}
  }
}

extension StoredMatrix {
  /// Rows widened at a time: 2.3 MB for 576 columns, so that they are multiplied from the cache.
  private static let widenedRows = 1024

  /// Writes `dy · W` for `dy` of `[..., rows]`, or adds it.
  func storeInputGradient(of dy: Tensor, into result: Tensor, accumulating: Bool) {
    if case .elements(let elements) = storage, elements.dtype == dy.dtype {
      return storeProduct(
        MatrixFactor(dy),
        MatrixFactor(elements),
        into: result,
        accumulating: accumulating
      )
    }
    var accumulating = accumulating
    var start = 0
    repeat {
      let range = start..<min(rows, start + Self.widenedRows)
      storeProduct(
        MatrixFactor(rows == range.count ? dy : dy.columns(range)),
        MatrixFactor(widened(rows: range).converted(to: dy.dtype)),
        into: result,
        accumulating: accumulating
      )
      accumulating = true
      start = range.upperBound
    } while start < rows
  }
}

/// Where the rows of the first factor lie: element `(i, k)` is `rowStep·i + depthStep·k` from the
/// base.
struct PanelSource: @unchecked Sendable {
  var base: UnsafePointer<Float>
  var rowStep: Int
  var depthStep: Int
  var scale: Float = 1
}

/// Rows up to which reading the weight once, with dot products, beats packing.
private let fewRows = 15

/// Runs a product whose description lacks only the packed panels.
func multiplyByPanels(_ description: slm_product, _ source: PanelSource) {
  guard description.rows > 0 && description.outputs > 0 else { return }
  guard description.depth > 0 else { return fillWithoutDepth(description) }
  var product = description
  let matrix = product.weight.pointee
  if product.rows <= fewRows && !matrix.transposed && !product.accumulate
    && source.depthStep == 1 && source.scale == 1
  {
    let shared = Shared(product)
    let grain = max(4, (1 << 15) / Int(product.depth * product.rows) / 4 * 4)
    parallelRanges((Int(product.outputs) + 3) / 4, grain: grain / 4) { range in
      withUnsafePointer(to: shared.pointer) {
        slm_product_rows(
          $0,
          source.base,
          Int64(source.rowStep),
          Int64(4 * range.lowerBound),
          min($0.pointee.outputs, Int64(4 * range.upperBound))
        )
      }
    }
    return
  }
  let panelRows = Int(SLM_PANEL_ROWS)
  let panelCount = (Int(product.rows) + panelRows - 1) / panelRows
  let packed = Storage(byteCount: 4 * panelCount * panelRows * Int(product.depth))
  let panels = packed.base.assumingMemoryBound(to: Float.self)
  let (out, fixed) = (Shared(panels), Shared(product))
  parallelRanges(panelCount) { range in
    slm_panels_pack(
      source.base,
      Int64(source.rowStep),
      Int64(source.depthStep),
      fixed.pointer.rows,
      fixed.pointer.depth,
      source.scale,
      Int64(range.lowerBound),
      Int64(range.upperBound),
      out.pointer
    )
  }
  product.panels = UnsafePointer(panels)
  let ready = Shared(product)
  let outputs = Int(SLM_OUTPUTS)
  parallelRanges((Int(product.outputs) + outputs - 1) / outputs) { range in
    withUnsafePointer(to: ready.pointer) {
      slm_product_panels(
        $0,
        Int64(outputs * range.lowerBound),
        min($0.pointee.outputs, Int64(outputs * range.upperBound))
      )
    }
  }
  withExtendedLifetime(packed) {}
}

/// Writes the product of matrices whose inner extent is 0: the bias, or zeros.
private func fillWithoutDepth(_ product: slm_product) {
  guard !product.accumulate else { return }
  for row in 0..<Int(product.rows) {
    for output in 0..<Int(product.outputs) {
      product.y[row * Int(product.y_step) + output] = product.bias?[output] ?? 0
    }
  }
}
