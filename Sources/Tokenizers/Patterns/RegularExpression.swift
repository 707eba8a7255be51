internal import CPCRE2

/// A compiled regular expression over UTF-8 text, safe to use from many threads.
///
/// Patterns in tokenizer.json are written for Oniguruma; ``PatternTranslator`` turns one into
/// what means the same to PCRE2. A match that takes more than ``stepLimit`` steps, or a search
/// that takes longer than ``timeLimit``, is an error: such a pattern is hostile or broken.
final class RegularExpression: @unchecked Sendable {
  /// Backtracking steps one match may take.
  static let stepLimit: UInt32 = 10_000_000
  /// How long one search over one text may take without finding anything.
  static let timeLimit = Duration.seconds(10)
  /// Longer patterns than any tokenizer has.
  private static let lengthLimit = 1 << 16
  /// Start positions tried between two looks at the clock, at first.
  private static let firstWindow = 64

  let pattern: String
  private let code: OpaquePointer
  private let location: TokenizerError.Location

  /// Compiles a pattern.
  ///
  /// - Parameters:
  ///   - pattern: The pattern in Oniguruma's syntax.
  ///   - location: Where the pattern comes from, for errors.
  /// - Throws: ``TokenizerError`` with `pattern` or `unsupported`.
  convenience init(
    _ pattern: String,
    at location: TokenizerError.Location
  ) throws(TokenizerError) {
    guard pattern.utf8.count <= Self.lengthLimit else {
      throw TokenizerError(
        .tooLarge,
        at: location,
        "the pattern has more than \(Self.lengthLimit) bytes",
        remedy: JSONValue.defaultRemedy
      )
    }
    var translator = PatternTranslator(pattern, at: location)
    try self.init(pattern, untranslated: try translator.translate(), at: location)
  }

  /// Compiles a pattern that is written in PCRE2's own syntax.
  convenience init(
    untranslated pattern: String,
    at location: TokenizerError.Location
  ) throws(TokenizerError) {
    try self.init(pattern, untranslated: pattern, at: location)
  }

  private init(
    _ pattern: String,
    untranslated: String,
    at location: TokenizerError.Location
  ) throws(TokenizerError) {
    self.pattern = pattern
    self.location = location
    let translated = Array(untranslated.utf8)
    guard let context = pcre2_compile_context_create_8(nil) else { throw Self.noMemory(location) }
    defer { pcre2_compile_context_free_8(context) }
    pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
    // Nested groups recurse in the compiler; this keeps its stack small.
    pcre2_set_parens_nest_limit_8(context, 100)
    var errorCode: Int32 = 0
    var errorOffset = 0
    // In Oniguruma's syntax ^ and $ match at every line.
    let options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK
      | PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C
    let compiled = pcre2_compile_8(
      translated,
      translated.count,
      options,
      &errorCode,
      &errorOffset,
      context
    )
    guard let compiled else {
      throw TokenizerError(
        .pattern,
        at: location,
        "the pattern does not compile: \(Self.message(errorCode)) at byte \(errorOffset) of "
          + String(decoding: translated.prefix(200), as: UTF8.self),
        remedy: JSONValue.defaultRemedy
      )
    }
    code = compiled
    // Without the compiler for machine code (some processors), the interpreter gives the same.
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
  }

  deinit { pcre2_code_free_8(code) }

  /// Calls `body` with the start and end of every match in `text[range]`, in order.
  ///
  /// The range is the whole subject: `^`, `$` and lookarounds do not see beyond it. An empty
  /// match directly after the match before it is skipped.
  ///
  /// - Precondition: `text[range]` is well-formed UTF-8.
  func forEachMatch(
    in text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    _ body: (Int, Int) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    guard !range.isEmpty, let base = text.baseAddress else { return }
    let subject = base + range.lowerBound
    guard let data = pcre2_match_data_create_8(1, nil) else { throw Self.noMemory(location) }
    defer { pcre2_match_data_free_8(data) }
    guard let context = pcre2_match_context_create_8(nil) else { throw Self.noMemory(location) }
    defer { pcre2_match_context_free_8(context) }
    pcre2_set_match_limit_8(context, Self.stepLimit)
    pcre2_set_heap_limit_8(context, 1 << 18)  // kibibytes
    var position = 0
    var lastEnd = -1
    while position <= range.count {
      let found = try search(subject, range.count, from: position, data, context)
      guard let (start, end) = found else { return }
      if start == end && end == lastEnd {
        guard position < range.count else { return }
        position += sequenceLength(subject[position])
        continue
      }
      position = end
      lastEnd = end
      try body(range.lowerBound + start, range.lowerBound + end)
    }
  }

  /// Finds the first match from `position` on, looking at the clock between windows.
  private func search(
    _ subject: UnsafePointer<UInt8>,
    _ length: Int,
    from position: Int,
    _ data: OpaquePointer,
    _ context: OpaquePointer
  ) throws(TokenizerError) -> (Int, Int)? {
    var position = position
    var window = Self.firstWindow
    var started: ContinuousClock.Instant?
    while true {
      let limit = min(length, position + window)
      pcre2_set_offset_limit_8(context, limit)
      var result = pcre2_match_8(
        code,
        subject,
        length,
        position,
        PCRE2_NO_UTF_CHECK,
        data,
        context
      )
      if result == PCRE2_ERROR_JIT_STACKLIMIT {
        result = pcre2_match_8(
          code,
          subject,
          length,
          position,
          PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
          data,
          context
        )
      }
      if result >= 0 {
        let offsets = pcre2_get_ovector_pointer_8(data)
        guard let offsets, offsets[0] >= position, offsets[0] <= offsets[1] else {
          throw failure("the pattern matches backwards (\\K inside a lookaround)")
        }
        return (offsets[0], offsets[1])
      }
      guard result == PCRE2_ERROR_NOMATCH else {
        throw failure("the pattern stopped on a text: \(Self.message(result))")
      }
      if limit == length { return nil }
      position = limit
      while position < length && subject[position] & 0xC0 == 0x80 { position += 1 }
      let now = ContinuousClock.now
      let start = started ?? now
      started = start
      if now - start > Self.timeLimit { throw failure("the pattern takes too long on a text") }
      if window < 1 << 20 { window *= 2 }
    }
  }

  private func failure(_ problem: String) -> TokenizerError {
    TokenizerError(
      .pattern,
      at: location,
      "\(problem), pattern \(pattern.prefix(200))",
      remedy: "use a pattern that does not backtrack so much, or another tokenizer"
    )
  }

  private static func noMemory(_ location: TokenizerError.Location) -> TokenizerError {
    TokenizerError(
      .tooLarge,
      at: location,
      "no memory for a regular expression",
      remedy: "free some memory"
    )
  }

  private static func message(_ code: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
    return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "\(code)"
  }
}
