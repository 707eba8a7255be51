internal import Models
public import Pipeline

/// The text that a stage runs through the model to see what its layers work on.
///
/// A stage takes it over as a group of its own:
///
///     calibration: { text: builtin:calibration, sequences: 64, length: 512 }
public struct CalibrationOptions: OptionGroup {
  /// The text.
  public var text = TextInput.builtinCalibration
  /// How many sequences of it are used at most.
  public var sequences = 64
  /// The tokens of a sequence.
  public var length = 512
  /// The most memory that activations take; beyond it they are kept in a file.
  public var memory = ByteSize(768 << 20)
  /// Whose inputs layers are fitted to.
  public var inputs = CalibrationInputs.quantized

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<CalibrationOptions>] {
    [
      .field(
        "text",
        \.text,
        "The text. It should resemble what the model will be used for, and must not be what it "
          + "is measured on."
      ),
      .field(
        "sequences",
        \.sequences,
        in: 1...1_048_576,
        "The most sequences to use, from the start of the text."
      ),
      .field("length", \.length, in: 2...1_048_576, "The tokens of a sequence."),
      .field(
        "memory",
        \.memory,
        "The most memory that activations between two layers take; if they are larger they are "
          + "kept in a file in the run directory until the stage is done."
      ),
      .field(
        "inputs",
        \.inputs,
        "Whose inputs layers are fitted to, in stages that change one layer after the other. "
          + "`original` is less accurate; `quantize.gptq` and `quantize.allocate` then keep what "
          + "they know of inputs in the recipe's `cache`, about `2 · width²` bytes for each "
          + "group of layers, so that another choice of bits skips the passes over the text."
      ),
    ]
  }

  /// The most tokens that are used.
  public var tokenCount: Int { sequences * length }

  /// About how much memory the walk through a model takes beside its weights, in bytes.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - collectsGram: Whether Gram matrices are collected.
  /// - Returns: The number of bytes.
  public func peakByteCount(_ promise: ModelPromise, collectsGram: Bool) -> Int {
    let configuration = promise.configuration
    let mixed = configuration.queryHeads * configuration.headSize
    let widest = max(configuration.feedForwardSize, mixed)
    let kept = tokenCount * (configuration.hiddenSize + mixed + configuration.feedForwardSize) * 4
    // Two factorizations' worth of the widest Gram matrix, products of a chunk, and the chunk.
    var matrices = collectsGram ? (3 * 8 + 4) * widest * widest : 0
    if collectsGram && inputs == .original {
      // All groups of a block at once.
      let (hidden, wide) = (configuration.hiddenSize, configuration.feedForwardSize)
      matrices += 8 * (2 * hidden * hidden + mixed * mixed + wide * wide)
    }
    return min(kept, memory.byteCount) + matrices + ActivationStore.chunkTokens * widest * 16
  }
}
