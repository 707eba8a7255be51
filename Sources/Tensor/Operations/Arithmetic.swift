internal import CKernels

/// An operation on two elements.
enum BinaryOperation: Int32 {
  case sum = 0
  case difference, product, quotient, maximum, minimum
  /// 1 where the left is greater, 0 where the right is, 1/2 where they are equal.
  case preference
}

extension Tensor {
  /// Returns the sum of elements, after NumPy's rules of broadcasting.
  public static func + (left: Tensor, right: Tensor) -> Tensor { left.combined(.sum, right) }

  /// Returns the difference of elements, after NumPy's rules of broadcasting.
  public static func - (left: Tensor, right: Tensor) -> Tensor {
    left.combined(.difference, right)
  }

  /// Returns the product of elements, after NumPy's rules of broadcasting.
  public static func * (left: Tensor, right: Tensor) -> Tensor { left.combined(.product, right) }

  /// Returns the quotient of elements, after NumPy's rules of broadcasting.
  public static func / (left: Tensor, right: Tensor) -> Tensor { left.combined(.quotient, right) }

  /// Returns the greater of two elements, after NumPy's rules of broadcasting.
  ///
  /// The gradient goes to the greater one, half to each of equal ones.
  public func maximum(_ other: Tensor) -> Tensor { combined(.maximum, other) }

  /// Returns the lesser of two elements, after NumPy's rules of broadcasting.
  ///
  /// The gradient goes to the lesser one, half to each of equal ones.
  public func minimum(_ other: Tensor) -> Tensor { combined(.minimum, other) }

  /// Adds a multiple of another tensor to this one, in place if this is its only owner.
  ///
  /// - Precondition: Both are of one shape and dtype, `float32` or `float64`, and neither is being
  ///   differentiated through.
  public mutating func add(_ other: Tensor, scale: Double = 1) {
    requireReal("add")
    requirePartner("add", other, shape)
    other.requireConstant("add")
    makeUnique()
    let target = self
    withKernel(count, grain: elementGrain, keeping: [other]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if target.isSingle {
        slm_add_scaled_f32(Float(scale), other.floats(first), count, target.floats(first))
      } else {
        slm_add_scaled_f64(scale, other.doubles(first), count, target.doubles(first))
      }
    }
  }

  /// The operation with its backward rule.
  ///
  /// Of the operands only those stay that a wanted gradient depends on.
  private func combined(_ operation: BinaryOperation, _ other: Tensor) -> Tensor {
    let y = detached.computed(operation, other.detached)
    let (left, right) = (shape, other.shape)
    switch operation {
    case .sum, .difference:
      let sign = operation == .sum ? 1.0 : -1.0
      return y.recorded("sum", [self, other]) { dy, needs in
        [
          needs[0] ? dy.summed(to: left) : nil,
          needs[1] ? dy.summed(to: right).scaledUnlessOne(by: sign) : nil,
        ]
      }
    case .product:
      let (a, b) = (kept(for: other), other.kept(for: self))
      return y.recorded("product", [self, other]) { dy, _ in
        [b.map { (dy * $0).summed(to: left) }, a.map { (dy * $0).summed(to: right) }]
      }
    case .quotient:
      let (a, b) = (kept(for: other), other.detached)
      return y.recorded("quotient", [self, other]) { dy, needs in
        let da = dy / b
        return [
          needs[0] ? da.summed(to: left) : nil,
          a.map { (da * $0 / b).summed(to: right).scaled(by: -1) },
        ]
      }
    case .maximum, .minimum:
      // The lesser of two is preferred as the greater one is after changing sides.
      let (a, b) = (detached, other.detached)
      let (first, second) = operation == .maximum ? (a, b) : (b, a)
      return y.recorded("maximum", [self, other]) { dy, needs in
        [
          needs[0] ? (dy * first.computed(.preference, second)).summed(to: left) : nil,
          needs[1] ? (dy * second.computed(.preference, first)).summed(to: right) : nil,
        ]
      }
    case .preference:
      return y
    }
  }

  private func scaledUnlessOne(by factor: Double) -> Tensor {
    factor == 1 ? self : scaled(by: factor)
  }

  private func computed(_ operation: BinaryOperation, _ other: Tensor) -> Tensor {
    requireReal("arithmetic")
    require(dtype == other.dtype, "arithmetic: \(dtype) with \(other.dtype)")
    let plan = BroadcastPlan(shape, other.shape)
    let y = Tensor(uninitialized: plan.shape, dtype: dtype)
    guard y.count > 0 else { return y }
    let grain = max(1, elementGrain / plan.run)
    if plan.starts.count == 1 {
      // One run: divide it by elements.
      withKernel(plan.run, grain: elementGrain, keeping: [self, other]) { range in
        run(
          operation,
          other,
          plan,
          from: (
            range.lowerBound * plan.steps.0,
            range.lowerBound * plan.steps.1
          ),
          into: y,
          at: range.lowerBound,
          count: range.count
        )
      }
    } else {
      withKernel(plan.starts.count, grain: grain, keeping: [self, other]) { range in
        for index in range {
          run(
            operation,
            other,
            plan,
            from: plan.starts[index],
            into: y,
            at: index * plan.run,
            count: plan.run
          )
        }
      }
    }
    return y
  }

  private func run(
    _ operation: BinaryOperation,
    _ other: Tensor,
    _ plan: BroadcastPlan,
    from start: (Int, Int),
    into y: Tensor,
    at index: Int,
    count: Int
  ) {
    let (left, right) = (Int32(plan.steps.0), Int32(plan.steps.1))
    if isSingle {
      slm_binary_f32(
        operation.rawValue,
        floats(start.0),
        left,
        other.floats(start.1),
        right,
        Int64(count),
        y.floats(index)
      )
    } else {
      slm_binary_f64(
        operation.rawValue,
        doubles(start.0),
        left,
        other.doubles(start.1),
        right,
        Int64(count),
        y.doubles(index)
      )
    }
  }
}

/// How two shapes combine: as runs in which each side either advances by one or stands still.
struct BroadcastPlan: Sendable {
  /// The shape of the result.
  let shape: Shape
  /// Elements in a run.
  let run: Int
  /// How far each side advances within a run: 0 or 1.
  let steps: (Int, Int)
  /// Where each side starts for each run, in the order of the result.
  let starts: [(Int, Int)]

  /// Plans after NumPy's rules: axes are matched from the last, and an extent of 1 repeats.
  init(_ left: Shape, _ right: Shape) {
    let rank = max(left.rank, right.rank)
    func extents(_ shape: Shape) -> [Int] {
      Array(repeating: 1, count: rank - shape.rank) + shape.dimensions
    }
    let (a, b) = (extents(left), extents(right))
    for axis in 0..<rank {
      require(
        a[axis] == b[axis] || a[axis] == 1 || b[axis] == 1,
        "arithmetic: \(left) and \(right) do not combine"
      )
    }
    let extent = (0..<rank).map { a[$0] == 1 ? b[$0] : a[$0] }
    shape = Shape(extent)
    // Trailing axes on which both sides behave alike form the run.
    func kind(_ axis: Int) -> (Bool, Bool) { (a[axis] == extent[axis], b[axis] == extent[axis]) }
    var split = rank
    var length = 1
    var moves = (true, true)
    while split > 0 {
      let axis = split - 1
      if extent[axis] != 1 {
        if length == 1 { moves = kind(axis) } else if kind(axis) != moves { break }
        length *= extent[axis]
      }
      split -= 1
    }
    run = length
    steps = (moves.0 ? 1 : 0, moves.1 ? 1 : 0)
    starts = Self.starts(extent, a, b, split)
  }

  private static func starts(_ extent: [Int], _ a: [Int], _ b: [Int], _ split: Int) -> [(Int, Int)]
  {
    func strides(_ sides: [Int]) -> [Int] {
      var stride = sides[split...].reduce(1, *)
      var result = Array(repeating: 0, count: split)
      for axis in (0..<split).reversed() {
        result[axis] = sides[axis] == 1 ? 0 : stride
        stride *= sides[axis]
      }
      return result
    }
    let (left, right) = (strides(a), strides(b))
    var result = [(0, 0)]
    for axis in 0..<split {
      result = result.flatMap { start in
        (0..<extent[axis]).map { (start.0 + $0 * left[axis], start.1 + $0 * right[axis]) }
      }
    }
    return result
  }
}
