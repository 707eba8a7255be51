internal import CKernels
internal import Tensor

/// AdamW's moments as one byte each.
///
/// Elements in blocks of 256 share a scale, the greatest magnitude among them; each is stored as the
/// code of the nearest of 256 values. A step widens a block, updates the parameter with
/// exact moments, and rounds the new moments again.
///
/// Source: Dettmers et al., *8-bit Optimizers via Block-wise Quantization*, 2021,
/// arXiv:2110.02861, sections 2 and 3. Differs from it in blocks of 256 instead of 2048 elements, as
/// the authors' library has them by now; in that a second moment above zero is never rounded to
/// zero, but up to the least value, since a first moment over nothing but epsilon is a leap; and in
/// that no embedding layer is treated apart: the paper's has a layer norm that models lack.
public enum EightBitMoments {
  /// Elements that share a scale.
  public static let blockLength = Int(SLM_MOMENT_BLOCK)
  /// Parameters with fewer elements keep full moments, as in the paper's section 2.
  public static let minimumElementCount = 4096

  /// The number of scales of a parameter.
  static func blockCount(of count: Int) -> Int { (count + blockLength - 1) / blockLength }

  /// Changes a parameter in place; the slots are codes and scales of both moments.
  static func update(
    _ parameter: inout Tensor,
    gradient: Tensor,
    slots: inout [Tensor],
    _ settings: slm_adamw
  ) {
    require(
      gradient.shape == parameter.shape && gradient.dtype == .float32 && slots.count == 4,
      "adamw: a gradient \(gradient.shape) of \(gradient.dtype) for \(parameter.shape)"
    )
    let count = parameter.count
    let target = Shared(parameter.ownedElements(as: Float.self))
    let source = Shared(gradient.unsafeBase.assumingMemoryBound(to: Float.self))
    let firstCodes = Shared(slots[0].ownedElements(as: UInt8.self))
    let firstScales = Shared(slots[1].ownedElements(as: Float.self))
    let secondCodes = Shared(slots[2].ownedElements(as: UInt8.self))
    let secondScales = Shared(slots[3].ownedElements(as: Float.self))
    DynamicMap.signed.withPointers { first in
      DynamicMap.unsigned.withPointers { second in
        let maps = Shared((first, second))
        parallelRanges(blockCount(of: count), grain: updateGrain / blockLength) { blocks in
          let start = blocks.lowerBound * blockLength
          slm_adamw_blocks(
            settings,
            maps.pointer.0,
            maps.pointer.1,
            source.pointer + start,
            Int64(min(count, blocks.upperBound * blockLength) - start),
            target.pointer + start,
            firstCodes.pointer + start,
            firstScales.pointer + blocks.lowerBound,
            secondCodes.pointer + start,
            secondScales.pointer + blocks.lowerBound
          )
        }
      }
    }
    withExtendedLifetime((parameter, gradient, slots)) {}
  }
}

/// The 256 numbers in −1...1 that a byte stands for: few digits near zero, many near one.
///
/// Every decade from 10⁻⁷ to 1 is divided evenly into twice as many steps as the one below, a
/// number being the middle of its step; 0 and 1 are added. The signed map has as many negative
/// numbers as positive ones (but no −1), the unsigned map twice the steps.
///
/// Source: Dettmers, *8-bit Approximations for Parallelism in Deep Learning*, 2015,
/// arXiv:1511.04561, section 2, with the numbers of the library that came with the 8-bit
/// optimizers.
struct DynamicMap: Sendable {
  /// The numbers, rising.
  let values: [Float]
  /// Halfway between each number and the next; infinity after the last.
  let middles: [Float]
  /// Where the search for the nearest number starts, see the kernel.
  let starts: [UInt8]

  static let signed = DynamicMap(isSigned: true)
  static let unsigned = DynamicMap(isSigned: false)

  init(isSigned: Bool) {
    let decades = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    var numbers: [Double] = [0, 1]
    for (index, top) in decades.enumerated() {
      let steps = 1 << (isSigned ? index : index + 1)
      for step in 0..<steps {
        let number = top * (0.1 + 0.9 * (Double(step) + 0.5) / Double(steps))
        numbers.append(number)
        if isSigned { numbers.append(-number) }
      }
    }
    let values = numbers.sorted().map(Float.init)
    self.values = values
    let middles =
      zip(values, values.dropFirst()).map { Float((Double($0) + Double($1)) / 2) } + [.infinity]
    self.middles = middles
    let cells = 0..<UInt32(SLM_MOMENT_CELLS)
    let first = UInt32(SLM_MOMENT_FIRST_CELL)
    // A cell holds the magnitudes whose upper 16 bits are equal; the first one all smaller ones.
    let positive = cells.map { $0 == 0 ? 0 : Float(bitPattern: ($0 + first) << 16) }
    let negative = cells.map { -Float(bitPattern: (($0 + first + 1) << 16) - 1) }
    self.starts = (positive + negative).map { Self.nearest($0, middles) }
  }

  /// The code of the value nearest to a number: the first one whose upper middle is not below it.
  private static func nearest(_ number: Float, _ middles: [Float]) -> UInt8 {
    var (low, high) = (0, middles.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if number <= middles[middle] { high = middle } else { low = middle + 1 }
    }
    return UInt8(low)
  }

  /// Calls `body` with the kernel's view of the map.
  func withPointers(_ body: (slm_moment_map) -> Void) {
    values.withUnsafeBufferPointer { values in
      middles.withUnsafeBufferPointer { middles in
        starts.withUnsafeBufferPointer { starts in
          body(
            slm_moment_map(
              values: values.baseAddress,
              middles: middles.baseAddress,
              starts: starts.baseAddress
            )
          )
        }
      }
    }
  }
}
