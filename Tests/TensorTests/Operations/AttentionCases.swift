import Tensor
import TestSupport

/// Attention of every kind of group, mask and extent; tiles are 48 rows of queries by 48 keys.
let attentionCases: [OperationCase] = [
  attentionCase("one head", [1, 3, 1, 5], keyHeads: 1),
  attentionCase("three heads to a key head", [1, 2, 3, 3], keyHeads: 1),
  attentionCase("one token", [2, 1, 2, 3], keyHeads: 1),
  attentionCase("after cached keys", [1, 2, 2, 3], keyHeads: 1, start: 2, spare: 1),
  attentionCase(
    "documents of one to three tokens",
    [1, 6, 1, 3],
    keyHeads: 1,
    documents: [3, 1, 2]
  ),
  attentionCase("several tiles", [1, 70, 2, 16], keyHeads: 2),
  attentionCase("several tiles, grouped heads", [2, 53, 6, 20], keyHeads: 2),
  attentionCase(
    "several tiles after cached keys",
    [1, 40, 4, 16],
    keyHeads: 2,
    start: 30,
    spare: 3
  ),
  attentionCase("a window", [2, 90, 3, 8], keyHeads: 1, window: 7),
  attentionCase("a scale", [1, 60, 2, 16], keyHeads: 1, scale: 0.4),
  attentionCase("documents", [2, 110, 3, 24], keyHeads: 1, documents: [50, 1, 59]),
  attentionCase(
    "documents, window and scale",
    [2, 110, 4, 33],
    keyHeads: 2,
    scale: 0.1,
    window: 21,
    documents: [13, 60, 37]
  ),
  attentionCase("queries in several shares", [1, 210, 3, 64], keyHeads: 1),
  attentionCase("channels in several bands", [1, 60, 2, 128], keyHeads: 1),
]

private func attentionCase(
  _ name: String,
  _ queryShape: Shape,
  keyHeads: Int,
  start: Int = 0,
  spare: Int = 0,
  scale: Double? = nil,
  window: Int? = nil,
  documents: [Int]? = nil
) -> OperationCase {
  let (batch, tokens) = (queryShape[0], queryShape[1])
  let keyShape = Shape([batch, start + tokens + spare, keyHeads, queryShape[3]])
  // Every second sequence has its documents in the opposite order.
  let starts = documents.map { lengths in
    (0..<batch).flatMap {
      documentStarts($0.isMultiple(of: 2) ? lengths : lengths.reversed())
    }
  }
  return OperationCase(
    "causalAttention, \(name)",
    covers: ["causalAttention"],
    [.normal(queryShape), .normal(keyShape), .normal(keyShape)]
  ) {
    $0[0].causalAttention(
      keys: $0[1],
      values: $0[2],
      start: start,
      scale: scale,
      window: window,
      documentStarts: starts
    )
  }
}

/// Where the document of each token of a packed sequence starts.
func documentStarts(_ lengths: [Int]) -> [Int32] {
  var starts: [Int32] = []
  for length in lengths {
    starts += [Int32](repeating: Int32(starts.count), count: length)
  }
  return starts
}
