/// Chooses one of several sizes for each of several things, so that the costs are least in total
/// for the sizes in total: a knapsack with multiple choice.
///
/// All budgets are solved at once by dynamic programming over sizes, counted in their greatest
/// common divisor. Only where that would be more than 2¹⁴ different sums, sizes are rounded up to a
/// multiple of it; what that leaves of a budget is filled with the best exchanges.
///
/// ```swift
/// let allocation = Allocation([[.init(byteCount: 10, cost: 3), .init(byteCount: 12, cost: 1)]])
/// allocation.choices(within: 11)        // [0]
/// ```
///
/// Source: Kellerer, Pferschy and Pisinger, *Knapsack Problems*, 2004, section 11.5. Without its
/// deviations from the optimum when sums are few.
package struct Allocation: Sendable {
  /// A size that a thing can have, and what that costs.
  package struct Choice: Sendable {
    /// The size.
    package let byteCount: Int
    /// The cost, from 0.
    package let cost: Double

    /// Creates a choice.
    package init(byteCount: Int, cost: Double) {
      self.byteCount = byteCount
      self.cost = cost
    }
  }

  /// A choice that is neither larger nor more costly than another of the same thing.
  private struct Useful {
    let index: Int
    let byteCount: Int
    let cost: Double
    /// How much larger than the smallest, in units.
    var units = 0
  }

  /// The least sum of sizes.
  package let smallest: Int
  /// The sum of sizes above which costs fall no more.
  package let largest: Int

  private let things: [[Useful]]
  private let unit: Int
  /// For each sum of units the least cost.
  private let costs: [Double]
  /// For each thing, and each sum of units of the things up to it, which choice that takes.
  private let taken: [[UInt8]]

  private static let mostSums = 1 << 14

  /// Solves all budgets.
  ///
  /// - Parameter choices: The choices of each thing, from 1 to 255.
  /// - Complexity: O(things · choices · 2¹⁴) at most.
  package init(_ choices: [[Choice]]) {
    var things = choices.map(Self.useful)
    smallest = things.reduce(0) { $0 + $1[0].byteCount }
    largest = things.reduce(0) { $0 + $1[$1.count - 1].byteCount }
    let extras = things.flatMap { thing in thing.map { $0.byteCount - thing[0].byteCount } }
    let divisor = extras.reduce(0, Self.greatestCommonDivisor)
    let range = largest - smallest
    let unit = max(1, divisor) * max(1, (range / max(1, divisor) - 1) / Self.mostSums + 1)
    for index in things.indices {
      let first = things[index][0].byteCount
      for choice in things[index].indices {
        things[index][choice].units = (things[index][choice].byteCount - first + unit - 1) / unit
      }
    }
    let top = things.reduce(0) { $0 + $1[$1.count - 1].units }
    var costs = [Double](repeating: 0, count: top + 1)
    var taken: [[UInt8]] = []
    for thing in things {
      var best = [Double](repeating: .infinity, count: top + 1)
      var choice = [UInt8](repeating: 0, count: top + 1)
      for (index, option) in thing.enumerated() {
        for sum in option.units...max(top, option.units) {
          let cost = costs[sum - option.units] + option.cost
          if cost < best[sum] {
            best[sum] = cost
            choice[sum] = UInt8(index)
          }
        }
      }
      costs = best
      taken.append(choice)
    }
    self.things = things
    self.unit = unit
    self.costs = costs
    self.taken = taken
  }

  /// Choices by size, without those that a smaller one is as good as.
  private static func useful(_ choices: [Choice]) -> [Useful] {
    let sorted = choices.enumerated().sorted {
      ($0.element.byteCount, $0.element.cost, $0.offset)
        < ($1.element.byteCount, $1.element.cost, $1.offset)
    }
    var result: [Useful] = []
    for (index, choice) in sorted {
      if let last = result.last, !(choice.cost < last.cost) { continue }
      result.append(Useful(index: index, byteCount: choice.byteCount, cost: choice.cost))
    }
    return result
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }

  /// The choices of least cost whose sizes do not exceed a sum; nil if the smallest do.
  package func choices(within byteCount: Int) -> [Int]? {
    guard byteCount >= smallest else { return nil }
    var picked = picks(units: min((byteCount - smallest) / unit, costs.count - 1))
    fill(&picked, byteCount)
    return indices(picked)
  }

  /// The choices of the least sum of sizes whose costs do not exceed a sum; nil if there are none.
  package func choices(costing limit: Double) -> [Int]? {
    guard let units = costs.firstIndex(where: { $0 <= limit }) else { return nil }
    return indices(picks(units: units))
  }

  private func picks(units: Int) -> [Int] {
    var left = units
    var picked = [Int](repeating: 0, count: things.count)
    for index in things.indices.reversed() {
      picked[index] = Int(taken[index][left])
      left -= things[index][picked[index]].units
    }
    return picked
  }

  /// Spends what rounding up has left: each time on the exchange that saves most for its size.
  private func fill(_ picked: inout [Int], _ byteCount: Int) {
    var left = byteCount
    for (thing, pick) in zip(things, picked) { left -= thing[pick].byteCount }
    while true {
      var best: (thing: Int, pick: Int, extra: Int, rate: Double)?
      for (index, thing) in things.enumerated() {
        let now = thing[picked[index]]
        for pick in thing.indices.dropFirst(picked[index] + 1) {
          let extra = thing[pick].byteCount - now.byteCount
          let rate = (now.cost - thing[pick].cost) / Double(max(1, extra))
          if extra <= left, rate > best?.rate ?? 0 { best = (index, pick, extra, rate) }
        }
      }
      guard let best else { return }
      picked[best.thing] = best.pick
      left -= best.extra
    }
  }

  private func indices(_ picked: [Int]) -> [Int] {
    zip(things, picked).map { $0[$1].index }
  }
}
