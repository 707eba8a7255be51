internal import Models
internal import Pipeline

extension ModelConfiguration {
  /// This configuration as a file of it is read, with those parts of `written` that mean the same:
  /// numbers in 32 bits, frequencies scaled in another way to the same values, and the vocabulary's
  /// special tokens, which belong to the tokenizer.
  func readFromGGUF(as written: ModelConfiguration) -> ModelConfiguration {
    var result = self
    result.architecture =
      Architecture.named(
        inGGUF: architecture.ggufName,
        hasSlidingWindow: slidingWindow != nil
      ) ?? architecture
    result.normEpsilon = Double(Float(normEpsilon))
    if rotary.rotates(like: written.rotary) { result.rotary = written.rotary }
    result.beginningOfText = written.beginningOfText
    result.endOfText = written.endOfText
    return result
  }

  /// What GGUF's readers would compute otherwise than this model.
  var problemsInGGUF: [StageProblem] {
    var problems: [StageProblem] = []
    if architecture.ggufInterleavesRotaryRows && rotary.channels != headSize {
      problems.append(
        StageProblem(
          "only \(rotary.channels) of \(headSize) channels rotate, which "
            + "\(architecture.ggufName) models in GGUF files do not"
        )
      )
    }
    if rotary.storedDivisors != nil && !architecture.ggufInterleavesRotaryRows {
      problems.append(
        StageProblem(
          "the rotary frequencies are scaled one by one, which \(architecture.ggufName) models in "
            + "GGUF files do not have"
        )
      )
    }
    return problems
  }

  /// What a reader of a plan should know.
  var notesOnGGUF: [String] {
    var notes: [String] = []
    if let slidingWindow, slidingWindow < contextLength {
      notes.append(
        "llama.cpp may attend beyond the window of \(slidingWindow) tokens, so texts longer than "
          + "that can get other results"
      )
    }
    if case .yarn(_, _, _, _, _, truncates: false) = rotary.scaling {
      notes.append("llama.cpp rounds the ends of YaRN's ramp, which this model does not")
    }
    return notes
  }
}

extension RotaryConfiguration {
  /// Whether another rotation, read from a file of this one, turns by the same angles.
  fileprivate func rotates(like other: RotaryConfiguration) -> Bool {
    var stored = self
    // Files cannot say that the ends of YaRN's ramp are not rounded.
    if case .yarn(let factor, let fast, let slow, let attention, let original, _) = scaling {
      stored.scaling = .yarn(
        factor: factor,
        betaFast: fast,
        betaSlow: slow,
        attentionFactor: attention,
        originalContextLength: original,
        truncates: true
      )
    }
    func isClose(_ x: Double, _ y: Double) -> Bool { abs(x - y) <= 1e-4 * abs(y) }
    return channels == other.channels
      && isClose(stored.attentionFactor, other.attentionFactor)
      && zip(stored.frequencies, other.frequencies).allSatisfy { isClose(Double($0), Double($1)) }
  }
}
