internal import Crypto
internal import Foundation

/// A data set: built-in texts, a file, a folder of files, or files by a pattern.
///
/// A file is JSON lines if its name ends in `.jsonl`, `.ndjson` or `.json`, and plain text
/// otherwise; each may be compressed, with `.gz` after its name. Of a folder, the files in it and
/// in its folders count whose names end so or in `.txt`, `.text` or `.md`; hidden ones do not.
/// Files are read in the order of their paths' bytes, a chunk at a time.
///
/// ```swift
/// let source = try RecordSource("data/*.jsonl.gz", options: RecordOptions(skipBroken: true))
/// let reader = source.makeReader()
/// while let record = try reader.next() { … }
/// ```
public struct RecordSource: Sendable, Hashable, CustomStringConvertible {
  enum Origin: Sendable, Hashable {
    case builtin(TextSource)
    case stories(StorySelection)
    case files([URL])
  }

  /// What a user wrote.
  public let name: String
  /// How the files are read.
  public let options: RecordOptions
  let origin: Origin

  /// What names of files in a folder end in, without `.gz`.
  static let extensions: Set<String> = ["jsonl", "ndjson", "json", "txt", "text", "md"]

  /// Finds a data set.
  ///
  /// - Parameters:
  ///   - name: `builtin:calibration`, `builtin:evaluation`, `builtin:stories` in one of the forms
  ///     that ``StorySelection`` lists, a file, a folder, or a pattern with `*`, `?` or `[…]`.
  ///   - options: How the files are read.
  /// - Throws: ``DatasetError`` if there is nothing of that name, or an option makes no sense.
  public init(_ name: String, options: RecordOptions = RecordOptions()) throws(DatasetError) {
    try Self.check(options, at: name)
    (self.name, self.options) = (name, options)
    switch name.hasPrefix(TextSource.builtinPrefix) ? try TextSource(name) : nil {
    case .stories(let selection)?: origin = .stories(selection)
    case let text?: origin = .builtin(text)
    case nil: origin = .files(try Self.files(name))
    }
  }

  /// What a user wrote.
  public var description: String { name }

  private static func check(_ options: RecordOptions, at name: String) throws(DatasetError) {
    let problem: String? =
      switch options.separator {
      case .text(let text) where text.isEmpty: "the separator is empty"
      case .line(let text) where text.contains(where: \.isNewline): "the separator has two lines"
      case .line(let text) where text.allSatisfy(\.isWhitespace): "the separator is empty"
      default: (options.limit ?? 1) < 1 ? "the limit is below 1" : nil
      }
    guard let problem else { return }
    throw DatasetError(.invalidOptions, problem, at: name, remedy: "correct the option")
  }

  // MARK: Files

  private static func files(_ name: String) throws(DatasetError) -> [URL] {
    var isFolder: ObjCBool = false
    let found: [URL]
    if FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) {
      guard isFolder.boolValue else { return [URL(filePath: name)] }
      found = files(inFolder: name)
    } else if name.contains(where: { "*?[".contains($0) }) {
      found = matches(name)
    } else {
      throw DatasetError(
        .unreadable,
        name.isEmpty ? "the name is empty" : "there is no such file or folder",
        at: name,
        remedy: "check the path, or use builtin:stories"
      )
    }
    guard !found.isEmpty else {
      throw DatasetError(
        .empty,
        isFolder.boolValue ? "no file in the folder is a text" : "no file fits the pattern",
        at: name,
        remedy:
          "name files that end in \(extensions.sorted().map { ".\($0)" }.joined(separator: ", "))"
          + ", or these with .gz"
      )
    }
    // By bytes: the order must not depend on the language of the machine.
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func files(inFolder name: String) -> [URL] {
    let all = FileManager.default.enumerator(
      at: URL(filePath: name),
      includingPropertiesForKeys: [.isRegularFileKey],
      options: [.skipsHiddenFiles]
    )
    return (all?.compactMap { $0 as? URL } ?? []).filter {
      extensions.contains(textExtension($0)) && isRegular($0)
    }
  }

  private static func matches(_ pattern: String) -> [URL] {
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern, GLOB_NOSORT, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { index in
      guard let path = result.gl_pathv[index] else { return nil }
      let url = URL(filePath: String(cString: path))
      return isRegular(url) ? url : nil
    }
  }

  private static func isRegular(_ url: URL) -> Bool {
    var status = stat()
    return stat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// The extension in small letters, below `.gz`.
  static func textExtension(_ url: URL) -> String {
    let own = url.pathExtension.lowercased()
    return own == "gz" ? url.deletingPathExtension().pathExtension.lowercased() : own
  }

  // MARK: Reading

  /// Starts to read from the first record on.
  ///
  /// - Parameter chunkByteCount: How much is read of a file at a time.
  /// - Returns: A reader that stands before the first record.
  public func makeReader(chunkByteCount: Int = 1 << 20) -> RecordReader {
    RecordReader(self, chunkByteCount: chunkByteCount)
  }

  /// Returns a hash of everything that decides which records there are: the bytes of all files
  /// and the options, but not the files' names.
  ///
  /// - Throws: ``DatasetError`` if a file cannot be read.
  /// - Complexity: Reads every file once.
  public func contentHash() throws(DatasetError) -> String {
    var hash = SHA256()
    func add(_ text: String) { hash.update(data: Data("\(text)\n".utf8)) }
    add(options.identity)
    switch origin {
    case .builtin(let text): add(try text.read())
    case .stories(let selection): add("\(selection) version \(StoryGenerator.version)")
    case .files(let urls):
      for url in urls {
        add(Self.isJSON(url, options) ? "JSON lines" : "plain text")
        let bytes = try FileBytes(url, chunkByteCount: 1 << 20)
        var own = SHA256()
        while let chunk = try bytes.next() {
          chunk.withUnsafeBytes { own.update(bufferPointer: $0) }
        }
        hash.update(data: Data(own.finalize()))
      }
    }
    return hash.finalize().hexadecimal
  }

  /// About how many bytes of text there are, from the sizes of files alone; nil if a file has none.
  ///
  /// Keys of JSON lines count as text, and compressed files count three times.
  public var estimatedByteCount: Int? {
    switch origin {
    case .builtin(let text): return try? text.read().utf8.count
    case .stories(let selection):
      let sample = (0..<min(20, selection.count)).reduce(0) { $0 + selection.story($1).utf8.count }
      return Int(Double(sample) / Double(min(20, selection.count)) * Double(selection.count))
    case .files(let urls):
      var sum = 0
      for url in urls {
        guard let values = try? url.resourceValues(forKeys: [.fileSizeKey]),
          let size = values.fileSize
        else { return nil }
        sum += url.pathExtension.lowercased() == "gz" ? 3 * size : size
      }
      return sum
    }
  }

  /// Whether a file is JSON lines.
  static func isJSON(_ url: URL, _ options: RecordOptions) -> Bool {
    switch options.form {
    case .detected: ["jsonl", "ndjson", "json"].contains(textExtension(url))
    case .plainText: false
    default: true
    }
  }
}

extension SHA256.Digest {
  /// The 64 digits.
  var hexadecimal: String {
    map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
