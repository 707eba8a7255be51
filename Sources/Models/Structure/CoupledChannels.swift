/// Channels that several parts of a model share, so that one can only be removed from all of them.
///
/// ```swift
/// for coupled in configuration.coupledChannels where coupled.axis == .feedForward(block: 0) {
///   coupled.count               // 1536 neurons
///   coupled.members             // rows of gate and up, columns of down
/// }
/// ```
///
/// Removing channels equals setting every member's share of them to zero. For the residual stream
/// this takes a correction of the normalizations, whose mean is over fewer channels then; see
/// ``RemainingStructure``.
public struct CoupledChannels: Sendable, Hashable {
  /// What the channels are.
  public enum Axis: Sendable, Hashable {
    /// The neurons of a block's feed-forward layer, `F`.
    case feedForward(block: Int)
    /// The key heads of a block's attention, each with the query heads that use it, `K`.
    case keyGroups(block: Int)
    /// The channels of the residual stream, `D`.
    case hidden

    /// The block that the channels are inside of; nil for those of the residual stream.
    public var block: Int? {
      switch self {
      case .feedForward(let block), .keyGroups(let block): block
      case .hidden: nil
      }
    }
  }

  /// The side of a part on which the channels lie.
  public enum Side: Sendable, Hashable {
    /// The rows of a matrix and the elements of its bias.
    case outputs
    /// The columns of a matrix.
    case inputs
    /// The elements of a normalization's weight.
    case elements
  }

  /// A part that has the channels.
  public struct Member: Sendable, Hashable {
    /// The part's name, such as `model.layers.0.mlp.gate_proj`.
    public let part: String
    /// Where in the part the channels lie.
    public let side: Side
    /// How many neighbouring rows, columns or elements make one channel.
    public let width: Int

    /// Whether what the member holds is made by the channels' own part rather than used of it: a
    /// channel is zero if all that makes it is.
    public let isSource: Bool
  }

  /// What the channels are.
  public let axis: Axis
  /// How many there are.
  public let count: Int
  /// Every part that has them.
  public let members: [Member]
}

extension ModelConfiguration {
  /// Every set of channels that parts share: feed-forward neurons and key groups of each block, and
  /// the residual stream's.
  public var coupledChannels: [CoupledChannels] {
    var sets: [CoupledChannels] = []
    let queriesPerKey = queryHeads / keyHeads
    for block in 0..<layerCount {
      let (mlp, attention) = ("model.layers.\(block).mlp", "model.layers.\(block).self_attn")
      sets.append(
        CoupledChannels(
          axis: .feedForward(block: block),
          count: feedForwardSize,
          members: [
            .init(part: "\(mlp).gate_proj", side: .outputs, width: 1, isSource: true),
            .init(part: "\(mlp).up_proj", side: .outputs, width: 1, isSource: true),
            .init(part: "\(mlp).down_proj", side: .inputs, width: 1, isSource: false),
          ]
        )
      )
      let (queries, keys) = (queriesPerKey * headSize, headSize)
      sets.append(
        CoupledChannels(
          axis: .keyGroups(block: block),
          count: keyHeads,
          members: [
            .init(part: "\(attention).q_proj", side: .outputs, width: queries, isSource: true),
            .init(part: "\(attention).k_proj", side: .outputs, width: keys, isSource: true),
            .init(part: "\(attention).v_proj", side: .outputs, width: keys, isSource: true),
            .init(part: "\(attention).o_proj", side: .inputs, width: queries, isSource: false),
          ]
        )
      )
    }
    sets.append(CoupledChannels(axis: .hidden, count: hiddenSize, members: residualMembers))
    return sets
  }

  private var residualMembers: [CoupledChannels.Member] {
    func source(_ part: String, _ side: CoupledChannels.Side) -> CoupledChannels.Member {
      .init(part: part, side: side, width: 1, isSource: true)
    }
    func user(_ part: String, _ side: CoupledChannels.Side = .inputs) -> CoupledChannels.Member {
      .init(part: part, side: side, width: 1, isSource: false)
    }
    // The embedding's rows are tokens: its columns are what it puts into the stream.
    var members = [source("model.embed_tokens", .inputs)]
    for block in 0..<layerCount {
      let prefix = "model.layers.\(block)"
      members.append(user("\(prefix).input_layernorm", .elements))
      members += ["q_proj", "k_proj", "v_proj"].map { user("\(prefix).self_attn.\($0)") }
      members.append(source("\(prefix).self_attn.o_proj", .outputs))
      members.append(user("\(prefix).post_attention_layernorm", .elements))
      members += ["gate_proj", "up_proj"].map { user("\(prefix).mlp.\($0)") }
      members.append(source("\(prefix).mlp.down_proj", .outputs))
    }
    members.append(user("model.norm", .elements))
    if !tiesEmbeddings { members.append(user("lm_head")) }
    return members
  }
}
