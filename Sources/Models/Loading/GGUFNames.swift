/// The names of a Llama-like model's tensors in GGUF files.
package enum GGUFNames {
  private static let block = [
    ("input_layernorm", "attn_norm"), ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"), ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"), ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
  ]
  private static let inBlock = Dictionary(uniqueKeysWithValues: block)
  private static let modules = Dictionary(uniqueKeysWithValues: block.map { ($1, $0) })
  private static let top = [
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
  ]

  /// The GGUF name of a module or of its tensor `.weight` or `.bias`, such as `blk.0.attn_q` for
  /// `model.layers.0.self_attn.q_proj`; nil if the format has none.
  package static func name(of module: String) -> String? {
    for suffix in [".weight", ".bias"] where module.hasSuffix(suffix) {
      return name(of: String(module.dropLast(suffix.count))).map { $0 + suffix }
    }
    if let name = top[module] { return name }
    let parts = module.split(separator: ".", maxSplits: 3)
    guard parts.count == 4, parts[0] == "model", parts[1] == "layers",
      let name = inBlock[String(parts[3])]
    else { return nil }
    return "blk.\(parts[2]).\(name)"
  }

  /// The module of a GGUF name without `.weight` or `.bias`, such as
  /// `model.layers.0.self_attn.q_proj` for `blk.0.attn_q`; nil if there is none.
  package static func module(of name: String) -> String? {
    if let module = top.first(where: { $0.value == name })?.key { return module }
    let parts = name.split(separator: ".")
    guard parts.count == 3, parts[0] == "blk", let module = modules[String(parts[2])] else {
      return nil
    }
    return "model.layers.\(parts[1]).\(module)"
  }
}

/// The order of query and key rows in GGUF files of families whose rotation there turns
/// neighbouring channels, where Hugging Face's turns the two halves of a head.
package enum RotaryRows {
  /// For each row of a file's matrix in Hugging Face's order, its row in GGUF's.
  ///
  /// - Parameters:
  ///   - heads: The number of heads the rows divide into.
  ///   - rows: The number of rows, a multiple of `2 · heads`.
  /// - Returns: `rows` different numbers in `0..<rows`.
  package static func interleaved(heads: Int, rows: Int) -> [Int32] {
    let size = rows / heads
    return (0..<rows).map { row in
      let (head, channel) = (row / size, row % size)
      let (half, pair) = (channel / (size / 2), channel % (size / 2))
      return Int32(head * size + 2 * pair + half)
    }
  }

  /// For each row in GGUF's order, its row in Hugging Face's.
  package static func halved(heads: Int, rows: Int) -> [Int32] {
    var inverse = [Int32](repeating: 0, count: rows)
    for (row, source) in interleaved(heads: heads, rows: rows).enumerated() {
      inverse[Int(source)] = Int32(row)
    }
    return inverse
  }
}
