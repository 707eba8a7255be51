package import Foundation

/// Files and folders of a run: listing, measuring, replacing.
package enum FileTree {
  package static func exists(_ url: URL) -> Bool {
    FileManager.default.fileExists(atPath: url.path)
  }

  package static func isFolder(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  static func create(_ folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  static func remove(_ url: URL) throws {
    // A dangling link is there too, although nothing exists behind it.
    guard exists(url) || (try? url.checkResourceIsReachable()) == true else { return }
    try FileManager.default.removeItem(at: url)
  }

  /// The names in a folder, sorted.
  static func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
  }

  /// The paths of all files in a folder, relative to it and sorted; links to files count, links to
  /// folders do not.
  static func files(in folder: URL) throws -> [String] {
    var found: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let url = folder.appending(path: name)
      let isLink = (try? url.resourceValues(forKeys: [.isSymbolicLinkKey]))?.isSymbolicLink
      if isFolder(url) {
        guard isLink != true else { continue }
        found += try files(in: url).map { "\(name)/\($0)" }
      } else {
        found.append(name)
      }
    }
    return found.sorted()
  }

  /// The size of every file in a folder in bytes, by its path.
  static func sizes(_ folder: URL) throws -> [String: Int] {
    let files = try files(in: folder)
    return Dictionary(
      uniqueKeysWithValues: files.map { ($0, byteCount(of: folder.appending(path: $0))) }
    )
  }

  /// The size of a file in bytes, links followed; 0 if there is none.
  static func byteCount(of file: URL) -> Int {
    let values = try? file.resolvingSymlinksInPath().resourceValues(forKeys: [.fileSizeKey])
    return values?.fileSize ?? 0
  }

  /// The size of a file, or of all files in a folder, in bytes.
  static func wholeByteCount(of url: URL) throws -> Int {
    guard isFolder(url) else { return byteCount(of: url) }
    return try files(in: url).reduce(0) { $0 + byteCount(of: url.appending(path: $1)) }
  }

  /// Puts a file or folder in the place of another, which is moved aside first, as a folder cannot
  /// be renamed onto one that is not empty, and moved back if the new one cannot take its place.
  package static func replace(_ target: URL, with new: URL, aside: URL) throws {
    let isTaken = exists(target)
    // Files change places in one step, with no moment at which there is none.
    if isTaken, !isFolder(target), !isFolder(new), rename(new.path, target.path) == 0 { return }
    if isTaken {
      try remove(aside)
      try FileManager.default.moveItem(at: target, to: aside)
    }
    do {
      try FileManager.default.moveItem(at: new, to: target)
    } catch {
      if isTaken { try? FileManager.default.moveItem(at: aside, to: target) }
      throw error
    }
    try remove(aside)
  }

  /// Writes a value as JSON under a temporary name and renames the file when complete.
  static func write(_ value: some Encodable, to url: URL) throws {
    try RunReport.encoder.encode(value).write(to: url, options: .atomic)
  }

  /// Reads a value from JSON; nil if there is no such file or it holds something else.
  static func read<Value: Decodable>(_ type: Value.Type, from url: URL) -> Value? {
    guard let data = try? Data(contentsOf: url) else { return nil }
    return try? RunReport.decoder.decode(type, from: data)
  }
}
