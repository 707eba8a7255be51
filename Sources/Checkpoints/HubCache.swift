internal import Foundation

/// The folder where Hugging Face's programs keep downloads.
///
/// A model `org/name` is in `models--org--name`: `refs/main` holds a commit, and
/// `snapshots/<commit>` the files, as links into `blobs`.
struct HubCache {
  /// The cache's folder.
  let path: String

  /// A file or folder that exists.
  struct Place {
    var path: String
    var isFolder: Bool
  }

  init(environment: [String: String]) {
    func folder(_ key: String) -> String? {
      environment[key].flatMap { $0.isEmpty ? nil : ($0 as NSString).expandingTildeInPath }
    }
    let caches = folder("XDG_CACHE_HOME") ?? (folder("HOME") ?? "") + "/.cache"
    let home = folder("HF_HOME") ?? caches + "/huggingface"
    self.path = folder("HF_HUB_CACHE") ?? folder("HUGGINGFACE_HUB_CACHE") ?? home + "/hub"
  }

  /// Returns where the files are that `name`, a path or an id, means.
  func locate(_ name: String) throws(CheckpointError) -> Place {
    let path = (name as NSString).expandingTildeInPath
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else { return Place(path: path, isFolder: false) }
      return Place(path: try snapshot(ofCached: path) ?? path, isFolder: true)
    }
    guard Self.isIdentifier(name) else { throw missing(path) }
    let cached = self.path + "/models--" + name.replacing("/", with: "--")
    guard FileManager.default.fileExists(atPath: cached) else {
      throw name.contains("/") ? uncached(name) : missing(path)
    }
    guard let snapshot = try snapshot(ofCached: cached) else {
      throw CheckpointError(
        .notFound,
        "no snapshot of '\(name)' in the cache",
        file: cached,
        remedy: "download it again, for example with: hf download \(name)"
      )
    }
    return Place(path: snapshot, isFolder: true)
  }

  /// Whether a name has the form `org/name`, or `name` as the oldest models have.
  private static func isIdentifier(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count <= 2
      && parts.allSatisfy { part in
        !part.isEmpty && !part.hasPrefix(".")
          && part.allSatisfy { $0.isLetter || $0.isNumber || "-_.".contains($0) }
      }
  }

  /// Returns the snapshot that a folder of the cache stands for; nil if it is no such folder.
  ///
  /// That of `refs/main`, or else the only one.
  private func snapshot(ofCached folder: String) throws(CheckpointError) -> String? {
    let snapshots = folder + "/snapshots"
    guard let all = try? FileManager.default.contentsOfDirectory(atPath: snapshots) else {
      return nil
    }
    let main = try? String(contentsOfFile: folder + "/refs/main", encoding: .utf8)
    if let commit = main?.trimmingCharacters(in: .whitespacesAndNewlines), all.contains(commit) {
      return "\(snapshots)/\(commit)"
    }
    guard all.count <= 1 else {
      throw CheckpointError(
        .ambiguous,
        "\(all.count) snapshots and no refs/main that names one",
        file: folder,
        remedy: "name one of the folders in \(snapshots)"
      )
    }
    return all.first.map { "\(snapshots)/\($0)" }
  }

  // MARK: - Errors

  private func missing(_ path: String) -> CheckpointError {
    let folder = (path as NSString).deletingLastPathComponent
    let beside = try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)
    let name = (path as NSString).lastPathComponent
    let names = name.nearestMatches(in: (beside ?? []).sorted())
    let nearest = names.isEmpty ? "" : "; nearest there: \(names.joined(separator: ", "))"
    return CheckpointError(.notFound, "no such file or folder\(nearest)", file: path)
  }

  private func uncached(_ name: String) -> CheckpointError {
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let cached = folders.filter { $0.hasPrefix("models--") }.map { folder in
      String(folder.dropFirst("models--".count)).replacing("--", with: "/")
    }
    let names = name.nearestMatches(in: cached.sorted())
    let nearest = names.isEmpty ? "" : "; nearest in the cache: \(names.joined(separator: ", "))"
    return CheckpointError(
      .notFound,
      "neither a file or folder '\(name)' nor a model of that id in the cache\(nearest)",
      file: path,
      name: name,
      remedy: "check the path, or download the model, for example with: hf download \(name)"
    )
  }
}
