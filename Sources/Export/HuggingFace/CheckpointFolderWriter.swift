internal import Checkpoints
internal import Foundation
internal import Models

/// Writes a Hugging Face folder: safetensors files, config.json and what goes with a model.
struct CheckpointFolderWriter {
  let model: LanguageModel
  let sections: [ExportedSection]
  let maximumShardByteCount: Int
  /// Other files to write, by name.
  var files: [String: JSONValue] = [:]

  /// Writes the folder, config.json last, so that a folder that has it is complete.
  ///
  /// - Throws: `CheckpointError`, or a file error.
  func write(
    _ configuration: JSONValue,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let declarations = sections.declarations
    var writer = try ShardedSafetensorsWriter(
      folder: url.path,
      tensors: declarations,
      maximumShardByteCount: maximumShardByteCount
    )
    let names = writer.fileNames
    try sections.forEachRun(progress) { name, rows in try writer.append(rows, to: name) }
    try writer.finish()
    var written = names
    for file in model.companions.files {
      try file.read().write(to: url.appending(path: file.name), options: .atomic)
      written.append(file.name)
    }
    for (name, content) in files.sorted(by: { $0.key < $1.key }) {
      try content.text().write(to: url.appending(path: name), options: .atomic)
      written.append(name)
    }
    try configuration.text().write(to: url.appending(path: "config.json"), options: .atomic)
    written.append("config.json")
    var summary = ExportSummary()
    summary.tensorByteCount = sections.byteCount
    summary.tensorCount = declarations.count
    summary.fileByteCount = written.reduce(0) { $0 + fileSize(url.appending(path: $1)) }
    return summary
  }
}

/// The size of a file in bytes; 0 if there is none.
func fileSize(_ url: URL) -> Int {
  let values = try? FileManager.default.attributesOfItem(atPath: url.path)
  return (values?[.size] as? NSNumber)?.intValue ?? 0
}
