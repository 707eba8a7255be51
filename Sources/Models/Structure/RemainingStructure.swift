internal import Foundation
internal import Tensor

/// Which blocks and channels of a model remain when the others are removed.
///
/// ```swift
/// var structure = RemainingStructure(model.configuration)
/// structure.blocks.removeAll { $0 == 20 }
/// structure.channels[.feedForward(block: 0)] = kept      // and as many of every other block
/// let smaller = model.reduced(to: structure)
/// ```
///
/// The smaller model computes what the larger one does with the removed parts set to zero. Where
/// channels of the residual stream are removed, the mean square in its normalizations is over
/// fewer channels, `D'` of `D`; their weights are multiplied by `√(D/D')` and epsilon by `D/D'`, so
/// that this holds for them too. (In families that normalize queries and keys, which share epsilon,
/// those change by as little as epsilon does.)
public struct RemainingStructure: Sendable, Hashable {
  /// The model's configuration before.
  public let original: ModelConfiguration
  /// The numbers of the blocks that remain, ascending.
  public var blocks: [Int]
  /// The channels that remain of an axis, ascending; all of them if the axis is not named.
  ///
  /// Blocks are numbered as before. Every remaining block must keep as many neurons and as many
  /// key groups as the others.
  public var channels: [CoupledChannels.Axis: [Int]] = [:]

  /// Everything remains.
  public init(_ configuration: ModelConfiguration) {
    original = configuration
    blocks = Array(0..<configuration.layerCount)
  }

  /// The configuration of the smaller model.
  ///
  /// - Precondition: At least one block remains, and the blocks that do keep equally many channels,
  ///   at least one.
  public var configuration: ModelConfiguration {
    require(!blocks.isEmpty, "remaining structure: no block remains")
    return original.reduced(
      layerCount: blocks.count,
      feedForwardSize: count(original.feedForwardSize) { .feedForward(block: $0) },
      keyHeads: count(original.keyHeads) { .keyGroups(block: $0) },
      hiddenSize: channels[.hidden]?.count
    )
  }

  private func count(_ all: Int, _ axis: (Int) -> CoupledChannels.Axis) -> Int {
    let counts = Set(blocks.map { channels[axis($0)]?.count ?? all })
    let count = counts.first ?? all
    require(counts.count == 1 && count > 0, "remaining structure: blocks differ in size")
    return count
  }
}

extension ModelConfiguration {
  /// This configuration with other sizes; those not given stay.
  ///
  /// - Parameters:
  ///   - layerCount: The number of blocks.
  ///   - feedForwardSize: The width of the feed-forward layers.
  ///   - keyHeads: The number of key heads; each keeps its query heads.
  ///   - hiddenSize: The width of the residual stream. Epsilon grows by what the mean square of the
  ///     remaining channels does if the others are zero.
  /// - Returns: The configuration with these sizes.
  public func reduced(
    layerCount: Int? = nil,
    feedForwardSize: Int? = nil,
    keyHeads: Int? = nil,
    hiddenSize: Int? = nil
  ) -> ModelConfiguration {
    var result = self
    if let layerCount { result.layerCount = layerCount }
    if let feedForwardSize { result.feedForwardSize = feedForwardSize }
    if let keyHeads {
      result.queryHeads = queryHeads / self.keyHeads * keyHeads
      result.keyHeads = keyHeads
    }
    if let hiddenSize, hiddenSize != self.hiddenSize {
      result.normEpsilon = normEpsilon * Double(self.hiddenSize) / Double(hiddenSize)
      result.hiddenSize = hiddenSize
    }
    return result
  }

  /// The extents of every part that coupled channels decide: the rows and columns of matrices, with
  /// nil where the vocabulary does, and the rows of normalizations.
  package var partExtents: [String: (outputs: Int?, inputs: Int?)] {
    var extents: [String: (outputs: Int?, inputs: Int?)] = [:]
    for coupled in coupledChannels {
      for member in coupled.members {
        let extent = coupled.count * member.width
        if member.side == .inputs {
          extents[member.part, default: (nil, nil)].inputs = extent
        } else {
          extents[member.part, default: (nil, nil)].outputs = extent
        }
      }
    }
    return extents
  }
}

// MARK: - Parts

/// The rows and columns that remain of a part, nil for all of them.
struct PartSelection {
  var rows: [Int32]?
  var columns: [Int32]?
}

extension RemainingStructure {
  /// What remains of each part, by its name before; parts that are not named remain as they are.
  var selections: [String: PartSelection] {
    var selections: [String: PartSelection] = [:]
    for coupled in original.coupledChannels {
      guard let kept = channels[coupled.axis] else { continue }
      require(
        kept.allSatisfy { $0 >= 0 && $0 < coupled.count }
          && zip(kept, kept.dropFirst()).allSatisfy(<),
        "remaining structure: channels of \(coupled.axis) are not ascending in 0..<\(coupled.count)"
      )
      for member in coupled.members {
        let indices = kept.flatMap { channel in
          (channel * member.width..<(channel + 1) * member.width).map { Int32($0) }
        }
        if member.side == .inputs {
          selections[member.part, default: PartSelection()].columns = indices
        } else {
          selections[member.part, default: PartSelection()].rows = indices
        }
      }
    }
    return selections
  }

  /// What the weights of normalizations of the residual stream are multiplied by.
  var normScale: Double {
    channels[.hidden].map { (Double(original.hiddenSize) / Double($0.count)).squareRoot() } ?? 1
  }
}
