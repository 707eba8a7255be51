public import Foundation

/// The files of a run.
///
///     runs/smollm2-int4/
///       recipe.yaml  recipe.resolved.yaml  environment.json  log.txt
///       report.json  report.md  report.html  report.xml
///       00-model/          checkpoint/  done.json       of a recipe with a new model
///       00-baseline/       measurement.json  reference/
///       01-prune.wanda/    checkpoint/  done.json  measurement.json
///       02-export.gguf/    done.json  measurement.json
///       cache/             what stages found out that serves other options too
///       smollm2-q4_0.gguf
///
/// A stage works in `NN-kind.partial`, which gets its final name when the stage is complete.
public struct RunDirectory: Sendable {
  /// The folder.
  public let url: URL

  /// Names a run directory; nothing is created.
  public init(_ url: URL) { self.url = url }

  var lockFile: URL { url.appending(path: "run.lock") }
  var logFile: URL { url.appending(path: "log.txt") }
  /// What stages keep for other options; made on demand.
  var cache: URL { url.appending(path: "cache") }
  /// The folder of a new model.
  var model: URL { url.appending(path: ModelCreation.title) }
  /// Where a new model is made until it is complete.
  var workingModel: URL { url.appending(path: ModelCreation.title + ".partial") }
  /// The folder of the baseline's measurement and outputs.
  var baseline: URL { url.appending(path: "00-baseline") }
  /// report.json.
  public var reportFile: URL { url.appending(path: "report.json") }

  /// The folder of a stage.
  func folder(_ index: Int, _ kind: String) -> URL {
    url.appending(path: Recipe.folderName(index, kind))
  }

  /// Where a stage works until it is complete.
  func workingFolder(_ index: Int, _ kind: String) -> URL {
    url.appending(path: Recipe.folderName(index, kind) + ".partial")
  }

  /// The number that the name of a stage's folder begins with; nil for other names.
  static func stageNumber(_ name: String) -> Int? {
    name.prefixMatch(of: /([0-9]{2,4})-/).flatMap { Int($0.1) }
  }

  /// Folders of stages at an index, or beyond the last one, that are not `kept`.
  func staleFolders(_ isStale: (_ index: Int) -> Bool, except kept: Set<String>) -> [URL] {
    FileTree.names(in: url).filter { name in
      guard !kept.contains(name), let number = Self.stageNumber(name), number > 0,
        isStale(number - 1)
      else { return false }
      // Only what a run has written is ever removed.
      let folder = url.appending(path: name)
      return name.hasSuffix(".partial")
        ? FileTree.exists(folder.appending(path: "key"))
        : FileTree.exists(folder.appending(path: "done.json"))
    }.map { url.appending(path: $0) }
  }
}
