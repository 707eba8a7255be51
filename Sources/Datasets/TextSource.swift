public import Foundation

/// A text to measure or calibrate on: one that comes with the tool, or a file in UTF-8.
///
/// ```swift
/// let text = try TextSource("builtin:evaluation").read()
/// ```
public enum TextSource: Sendable, Hashable {
  /// A text to collect activations on, about 70 kB of English prose, dialogue, code and tables.
  case builtinCalibration
  /// A text to measure on, about 23 kB, with nothing in common with the other.
  case builtinEvaluation
  /// Short stories that are written as they are read, with an empty line between two.
  case stories(StorySelection)
  /// A text file.
  case file(URL)

  /// What names of built-in texts begin with.
  static let builtinPrefix = "builtin:"

  /// Finds a text by the name of a built-in one or by a file's path.
  ///
  /// - Parameter name: `builtin:calibration`, `builtin:evaluation`, `builtin:stories` in one of
  ///   the forms that ``StorySelection`` lists, or a path. Relative paths start at the working
  ///   directory.
  /// - Throws: ``DatasetError`` if the name begins with `builtin:` and is none of these.
  public init(_ name: String) throws(DatasetError) {
    switch name {
    case "builtin:calibration": self = .builtinCalibration
    case "builtin:evaluation": self = .builtinEvaluation
    case let other where other.hasPrefix(Self.builtinPrefix):
      if let stories = StorySelection(other) {
        self = .stories(stories)
        return
      }
      throw DatasetError(
        .unknownBuiltin,
        "there is no such built-in text",
        at: other,
        remedy: "the built-in texts are builtin:calibration, builtin:evaluation, "
          + "builtin:stories, builtin:stories:1000 and builtin:stories:validation"
      )
    default: self = .file(URL(filePath: name))
    }
  }

  /// Reads the whole text, exactly as stored: no line ending or mark is changed.
  ///
  /// - Throws: ``DatasetError`` if the file is missing, unreadable, empty, or not UTF-8; the last
  ///   names the first offending byte.
  public func read() throws(DatasetError) -> String {
    switch self {
    case .builtinCalibration: try Self.text(PackageResources.calibration_txt, at: description)
    case .builtinEvaluation: try Self.text(PackageResources.evaluation_txt, at: description)
    case .stories(let selection): selection.stories.joined(separator: "\n\n") + "\n"
    case .file(let url): try Self.text(Self.contents(of: url), at: description)
    }
  }

  /// Reads no more of a text than is asked for.
  ///
  /// - Parameter byteCount: The most bytes; where a character crosses the end it is left out.
  /// - Returns: The beginning of the text, and whether that is all of it.
  /// - Throws: ``DatasetError`` as ``read()`` does, about what is read.
  /// - Complexity: Of the bytes read, not of the text.
  public func read(first byteCount: Int) throws(DatasetError) -> (text: String, isWhole: Bool) {
    switch self {
    case .builtinCalibration, .builtinEvaluation:
      let text = try read()
      guard text.utf8.count > byteCount else { return (text, true) }
      return (Self.start(Array(text.utf8.prefix(byteCount))), false)
    case .stories(let selection):
      var text = ""
      for story in selection.stories {
        if !text.isEmpty { text += "\n\n" }
        text += story
        // A byte more, so that a text of just so many is not taken for whole.
        if text.utf8.count > byteCount {
          return (Self.start(Array(text.utf8.prefix(byteCount))), false)
        }
      }
      return (text + "\n", true)
    case .file(let url):
      let bytes = try Self.contents(of: url) { (url) throws in
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        return try file.read(upToCount: byteCount + 1) ?? Data()
      }
      guard bytes.count > byteCount else { return (try Self.text(bytes, at: description), true) }
      let whole = Self.wholeCharacters(bytes.prefix(byteCount))
      return (try Self.text(whole, at: description), false)
    }
  }

  /// Bytes of a valid text up to the last whole character.
  private static func start(_ bytes: [UInt8]) -> String {
    String(decoding: wholeCharacters(bytes[...]), as: UTF8.self)
  }

  /// Bytes without the beginning of a character that goes on behind them.
  private static func wholeCharacters(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    for back in 1...min(4, max(1, bytes.count)) {
      guard let byte = bytes.dropLast(back - 1).last else { break }
      guard byte & 0xC0 != 0x80 else { continue }
      let length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
      return Array(length > back ? bytes.dropLast(back) : bytes)
    }
    return Array(bytes)
  }

  private static func contents(
    of url: URL,
    _ read: (URL) throws -> Data = { try Data(contentsOf: $0, options: .mappedIfSafe) }
  ) throws(DatasetError) -> [UInt8] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw DatasetError(
        .unreadable,
        "there is no such file",
        at: url.path,
        remedy: "check the path, or use builtin:evaluation"
      )
    }
    guard !isFolder.boolValue else {
      throw DatasetError(
        .unreadable,
        "this is a folder",
        at: url.path,
        remedy: "name a text file in it"
      )
    }
    do {
      return try [UInt8](read(url))
    } catch {
      throw DatasetError(
        .unreadable,
        "the file cannot be read (\(error.localizedDescription))",
        at: url.path,
        remedy: "check that you may read it"
      )
    }
  }
}

extension TextSource: CustomStringConvertible {
  /// The built-in text's name or the file's path.
  public var description: String {
    switch self {
    case .builtinCalibration: "builtin:calibration"
    case .builtinEvaluation: "builtin:evaluation"
    case .stories(let selection): selection.description
    case .file(let url): url.path
    }
  }
}

// MARK: - UTF-8

extension TextSource {
  /// Bytes as text, or an error that names the first byte that does not belong.
  package static func text(_ bytes: [UInt8], at location: String) throws(DatasetError) -> String {
    guard !bytes.isEmpty else {
      throw DatasetError(
        .empty,
        "the text is empty",
        at: location,
        remedy: "name a file with text in it"
      )
    }
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    throw notUTF8(bytes, at: location)
  }

  /// The error about bytes that are not UTF-8, with the place of the first that does not belong.
  ///
  /// - Parameters:
  ///   - bytes: Bytes that are not UTF-8.
  ///   - location: The file's name.
  ///   - start: Where the bytes start in the file's text.
  ///   - firstLine: The number of the line they start on.
  /// - Returns: The error.
  static func notUTF8(
    _ bytes: [UInt8],
    at location: String,
    offset start: Int = 0,
    line firstLine: Int = 1
  ) -> DatasetError {
    let offset = firstInvalidByte(bytes)
    let line = bytes[..<offset].reduce(firstLine) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    let found = offset < bytes.count ? "byte 0x\(String(bytes[offset], radix: 16))" : "the end"
    return DatasetError(
      .notUTF8,
      "\(found) is not UTF-8",
      at: "\(location): byte \(start + offset), line \(line)",
      remedy: "convert the file to UTF-8, for example with iconv"
    )
  }

  /// The offset of the first byte that begins no valid character.
  private static func firstInvalidByte(_ bytes: [UInt8]) -> Int {
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var offset = 0
    while case .valid(let character) = parser.parseScalar(from: &iterator) {
      offset += character.count
    }
    return offset
  }
}
