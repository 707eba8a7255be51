internal import Crypto
package import Foundation

/// SHA-256 digests of options, files and folders, in hexadecimal.
package enum Digest {
  /// The digest of texts; where one ends and the next begins counts.
  package static func of(_ parts: [String]) -> String {
    var hash = SHA256()
    for part in parts {
      hash.update(data: Data("\(part.utf8.count):".utf8))
      hash.update(data: Data(part.utf8))
    }
    return text(hash.finalize())
  }

  /// The digest of a file's bytes, or of the names and bytes of all files in a folder.
  static func of(contents url: URL) throws -> String {
    guard FileTree.isFolder(url) else { return text(try hash(file: url)) }
    var hash = SHA256()
    for name in try FileTree.files(in: url) {
      hash.update(data: Data("\(name.utf8.count):\(name)".utf8))
      hash.update(data: Data(text(try self.hash(file: url.appending(path: name))).utf8))
    }
    return text(hash.finalize())
  }

  /// The digest of what a model is read from: a folder's weights and descriptions, or a file.
  ///
  /// Everything is read, as a digest of sizes and times would take a changed checkpoint for the
  /// old one or a copied checkpoint for another. Other files that lie in a folder, such as the
  /// same weights in other formats, do not count. Of a safetensors file or an index, what lies
  /// beside it counts too: descriptions, and the shards of the index.
  package static func of(model url: URL) throws -> String {
    var (folder, suffixes) = (url, ["safetensors", "gguf"])
    var parts: [String] = []
    if !FileTree.isFolder(url) {
      let isIndex = url.lastPathComponent.hasSuffix(".index.json")
      guard isIndex || url.pathExtension == "safetensors" else { return try of(contents: url) }
      parts = [url.lastPathComponent, text(try hash(file: url))]
      (folder, suffixes) = (url.deletingLastPathComponent(), isIndex ? ["safetensors"] : [])
    }
    suffixes += ["json", "jinja", "txt", "model"]
    for name in FileTree.names(in: folder) where suffixes.contains(where: name.hasSuffix) {
      let file = folder.appending(path: name)
      guard !FileTree.isFolder(file) else { continue }
      parts += [name, text(try hash(file: file))]
    }
    return of(parts)
  }

  /// The digest of a file or folder that an option names; empty if it is not there.
  ///
  /// Of a model's folder as ``of(model:)``; of any other every file counts, in folders inside it
  /// too, since a stage may read data from it.
  static func of(input url: URL) -> String {
    let isModel =
      !FileTree.isFolder(url) || FileTree.exists(url.appending(path: "config.json"))
    return (try? isModel ? of(model: url) : of(contents: url)) ?? ""
  }

  private static func hash(file: URL) throws -> SHA256.Digest {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    var hash = SHA256()
    while let bytes = try handle.read(upToCount: 4 << 20), !bytes.isEmpty {
      hash.update(data: bytes)
    }
    return hash.finalize()
  }

  private static func text(_ digest: SHA256.Digest) -> String {
    digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}
