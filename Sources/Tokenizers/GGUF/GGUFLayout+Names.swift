extension GGUFLayout {
  /// The layout that a name in `tokenizer.ggml.pre` stands for, or nil if none is known.
  static func named(_ name: String) -> GGUFLayout? {
    all.first { $0.names.contains(name) }
  }

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let space = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

  /// The pattern of Llama 3 with another bound on digits.
  private static func llama3(digits: String) -> String {
    "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}\(digits)"
      + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\(space)"
  }

  /// The pattern that cuts words where an upper-case run begins.
  private static func cased(contractions: String, digits: String) -> String {
    let prefix = "[^\\r\\n\\p{L}\\p{N}]?"
    let upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
    let lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    return "\(prefix)\(upper)*\(lower)+\(contractions)|\(prefix)\(upper)+\(lower)*\(contractions)"
      + "|\\p{N}\(digits)| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\(space)"
  }

  private static let deepSeek3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\(space)"

  private static let whole = Step.byteLevel(usesPattern: false)

  static let all: [GGUFLayout] = [
    .init(
      names: [
        "gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en",
        "jina-v2-code", "roberta-bpe", "jais", "gigachat", "a.x-4.0", "mellum", "exaone4",
        "trillion", "granite-docling",
      ],
      steps: [.byteLevel(usesPattern: true)]
    ),
    .init(
      names: ["mpt", "olmo", "modern-bert"],
      normalizes: true,
      steps: [.byteLevel(usesPattern: true)]
    ),
    .init(
      names: [
        "smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2",
      ],
      steps: [.digits, .byteLevel(usesPattern: true)]
    ),
    .init(
      names: ["command-r"],
      normalizes: true,
      steps: [.digits, .byteLevel(usesPattern: true)]
    ),
    .init(
      names: [
        "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
        "jina-v5-nano",
      ],
      steps: [.split(llama3(digits: "{1,3}")), whole],
      ignoresMerges: true,
      addsBeginningOfText: true
    ),
    .init(
      names: ["glm4", "glm5"],
      steps: [.split(llama3(digits: "{1,3}")), whole],
      ignoresMerges: true
    ),
    .init(
      names: ["dbrx", "smaug-bpe", "chatglm-bpe"],
      steps: [.split(llama3(digits: "{1,3}")), whole]
    ),
    .init(
      names: ["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"],
      normalizes: true,
      steps: [.split(llama3(digits: "")), whole]
    ),
    .init(
      names: ["stablelm2", "hunyuan", "solar-open", "grok-2"],
      steps: [.split(llama3(digits: "")), whole]
    ),
    .init(
      names: ["qwen35"],
      normalizes: true,
      steps: [
        .split(
          "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\(space)"
        ), whole,
      ]
    ),
    .init(
      names: ["tekken"],
      steps: [.split(cased(contractions: "", digits: "")), whole],
      ignoresMerges: true,
      addsBeginningOfText: true
    ),
    .init(
      names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
      steps: [.split(cased(contractions: "\(contractions)?", digits: "{1,3}")), whole]
    ),
    .init(
      names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
      steps: [
        .split("\\p{N}{1,3}"), .split("[一-龥\u{3040}-ゟ゠-ヿ]+"), .split(deepSeek3), whole,
      ]
    ),
    .init(
      names: ["deepseek-coder"],
      steps: [
        .split("[\r\n]"), .split("\\s?\\p{L}+"), .split("\\s?\\p{P}+"),
        .split("[一-龥ࠀ-一가-\u{D7FF}]+"), .split("\\p{N}"), whole,
      ]
    ),
    .init(
      names: ["falcon"],
      steps: [
        .punctuationRuns, .split(ByteLevel.pattern), .split("[0-9][0-9][0-9]"), whole,
      ]
    ),
    .init(
      names: ["bloom", "poro-chat", "gpt3-finnish"],
      steps: [.split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), whole]
    ),
    .init(
      names: ["viking"],
      steps: [.split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), .split("\\p{N}"), whole]
    ),
    .init(
      names: ["default"],
      steps: [
        .split("[\\p{P}\\$\\+<=>\\^~\\|]+"), .split(ByteLevel.pattern), .split("\\p{N}+"),
        .split("[0-9][0-9][0-9]"), whole,
      ]
    ),
  ]
}
