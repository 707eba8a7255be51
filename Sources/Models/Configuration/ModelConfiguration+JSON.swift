extension ModelConfiguration {
  /// Returns the configuration as config.json says it.
  ///
  /// - Parameter dtype: The dtype of the weights beside it, such as `bfloat16`.
  /// - Returns: An object that transformers reads, before and since version 5.
  public func json(dtype: String) -> JSONValue {
    var members: [String: JSONValue] = [
      "architectures": .array([.string(architecture.className)]),
      "model_type": .string(architecture.modelType), "hidden_act": .string("silu"),
      "hidden_size": .integer(hiddenSize), "num_hidden_layers": .integer(layerCount),
      "intermediate_size": .integer(feedForwardSize),
      "num_attention_heads": .integer(queryHeads), "num_key_value_heads": .integer(keyHeads),
      "head_dim": .integer(headSize), "vocab_size": .integer(vocabularySize),
      "max_position_embeddings": .integer(contextLength), "rms_norm_eps": .number(normEpsilon),
      "tie_word_embeddings": .bool(tiesEmbeddings), "torch_dtype": .string(dtype),
      "dtype": .string(dtype), "rope_theta": .number(rotary.base),
      "rope_parameters": rotary.json, "use_cache": .bool(true),
    ]
    if rotary.channels != headSize {
      let fraction = JSONValue.number(rotary.fraction(ofHead: headSize))
      members["partial_rotary_factor"] = fraction
      members["rope_parameters"]?["partial_rotary_factor"] = fraction
    }
    if rotary.scaling != .none { members["rope_scaling"] = members["rope_parameters"] }
    if architecture.readsBiasKeys {
      members["attention_bias"] = .bool(hasAttentionOutputBias)
      members["mlp_bias"] = .bool(hasFeedForwardBias)
    }
    if let slidingWindow {
      members["sliding_window"] = .integer(slidingWindow)
      if !architecture.usesSlidingWindow {
        members["use_sliding_window"] = .bool(true)
        members["max_window_layers"] = .integer(0)
      }
    }
    members["bos_token_id"] = beginningOfText.map { .integer(Int($0)) }
    if let end = endOfText.first {
      members["eos_token_id"] =
        endOfText.count == 1 ? .integer(Int(end)) : .array(endOfText.map { .integer(Int($0)) })
    }
    return .object(members)
  }
}

extension RotaryConfiguration {
  /// The part of a head's channels that rotate; readers multiply by it and round down.
  fileprivate func fraction(ofHead size: Int) -> Double {
    let fraction = Double(channels) / Double(size)
    return Int(fraction * Double(size)) == channels ? fraction : fraction.nextUp
  }

  /// The rotation as `rope_parameters` says it.
  ///
  /// Divisors, which transformers does not know, are written under a name of our own.
  var json: JSONValue {
    var members: [String: JSONValue] = ["rope_theta": .number(base)]
    switch scaling {
    case .none: members["rope_type"] = .string("default")
    case .linear(let factor):
      members["rope_type"] = .string("linear")
      members["factor"] = .number(factor)
    case .llama3(let factor, let low, let high, let original):
      members["rope_type"] = .string("llama3")
      members["factor"] = .number(factor)
      members["low_freq_factor"] = .number(low)
      members["high_freq_factor"] = .number(high)
      members["original_max_position_embeddings"] = .integer(original)
    case .yarn(let factor, let fast, let slow, let attention, let original, let truncates):
      members["rope_type"] = .string("yarn")
      members["factor"] = .number(factor)
      members["beta_fast"] = .number(fast)
      members["beta_slow"] = .number(slow)
      members["attention_factor"] = .number(attention)
      members["original_max_position_embeddings"] = .integer(original)
      members["truncate"] = .bool(truncates)
    case .divisors(let divisors):
      members["rope_type"] = .string("divisors")
      members["divisors"] = .array(divisors.map { .number(Double($0)) })
    }
    return .object(members)
  }
}
