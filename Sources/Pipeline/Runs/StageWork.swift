import Foundation
import Models

/// One stage's work: finds out whether it is done, and does it.
struct StageWork {
  let session: RunSession
  let index: Int
  /// The digest of everything that decides the result.
  let key: String

  private var stage: RecipeStage { session.recipe.stages[index] }
  private var directory: RunDirectory { session.directory }
  private var folder: URL { directory.folder(index, stage.kind) }
  private var working: URL { directory.workingFolder(index, stage.kind) }

  /// The record of an earlier run, if it was of the same work and its result is still there.
  func finishedRecord() -> StageRecord? {
    guard let record = StageRecord.read(folder), record.key == key else { return nil }
    if let export = record.export {
      let url = directory.url.appending(path: export.path)
      guard FileTree.exists(url), (try? Digest.of(contents: url)) == export.sha256 else {
        session.log.receive(.note("\(export.path) is missing or was changed"))
        return nil
      }
    }
    if let name = record.missingFile(in: folder) {
      session.log.receive(.note("\(name) of \(folder.lastPathComponent) is missing or cut"))
      return nil
    }
    return record
  }

  /// Runs the stage in its working folder, and gives that its final name when complete.
  func run() throws -> StageRecord {
    try prepareWorkingFolder()
    let meter = ResourceMeter()
    let model = try ModelLoader.load(session.modelFolder)
    let checkpoint = working.appending(path: "checkpoint")
    var writer: ModelWriter?
    if stage.effect == .changesModel {
      try FileTree.create(checkpoint)
      writer = ModelWriter(model, to: checkpoint)
    }
    let export = working.appending(path: "export")
    let context = StageContext(
      modelFolder: session.modelFolder,
      baselineURL: session.original.folder,
      seed: session.seed(index),
      folder: working,
      cacheFolder: session.recipe.cache?.url(session.file.paths) ?? directory.cache,
      exportURL: export.appending(path: stage.exportName),
      paths: session.file.paths,
      listener: session.log,
      writeBlock: { try writer?.writeBlock($0) },
      useModel: { other in
        if writer != nil { writer = ModelWriter(other, to: checkpoint) }
      }
    )
    try FileTree.create(context.stateFolder)
    if stage.effect == .exports { try FileTree.create(export) }
    var report = try stage.stage.run(model, context)
    try writer?.finish()
    var record = StageRecord(
      key: key,
      kind: stage.kind,
      tool: ToolVersion.current,
      report: report,
      wallSeconds: 0
    )
    if stage.effect == .exports {
      try finishExport(context, model, &record)
    } else if stage.effect == .changesModel {
      record.files = try FileTree.sizes(checkpoint)
      let written = try ModelLoader.inspect(checkpoint).configuration
      record.add(try ModelSize(of: checkpoint, parameterCount: written.parameterCount))
    }
    report.warnings += context.warnings.filter { !report.warnings.contains($0) }
    record.report = report
    record.wallSeconds = meter.seconds
    record.peakBytes = meter.peakByteCount
    try complete(record)
    return record
  }

  // What an interrupted run of the same work left for itself is kept, everything else removed.
  private func prepareWorkingFolder() throws {
    let keyFile = working.appending(path: "key")
    if (try? String(contentsOf: keyFile, encoding: .utf8)) == key {
      for name in FileTree.names(in: working) where name != "key" && name != "state" {
        try FileTree.remove(working.appending(path: name))
      }
      return
    }
    try FileTree.remove(working)
    try FileTree.create(working)
    try Data(key.utf8).write(to: keyFile, options: .atomic)
  }

  private func finishExport(
    _ context: StageContext,
    _ model: LanguageModel,
    _ record: inout StageRecord
  ) throws {
    let written = context.exportURL
    guard let path = stage.stage.exportPath, FileTree.exists(written) else {
      throw RunError(
        .verification,
        "the stage wrote no file",
        at: stage.stage.exportPath ?? stage.kind,
        remedy: "report this, with the recipe, as a mistake in the tool"
      )
    }
    try stage.stage.verify(written, against: model, context)
    record.add(try ModelSize(of: written, parameterCount: model.parameterCount))
    record.export = StageRecord.Export(path: path, sha256: try Digest.of(contents: written))
    let target = directory.url.appending(path: path)
    try FileTree.create(target.deletingLastPathComponent())
    try FileTree.replace(target, with: written, aside: working.appending(path: "replaced"))
  }

  private func complete(_ record: StageRecord) throws {
    for name in ["state", "export", "replaced", "key"] {
      try FileTree.remove(working.appending(path: name))
    }
    try FileTree.write(record, to: working.appending(path: "done.json"))
    try FileTree.remove(folder)
    try FileManager.default.moveItem(at: working, to: folder)
  }
}

extension RecipeStage {
  /// The last part of the export's path, which a writer may look at.
  var exportName: String {
    stage.exportPath?.split(separator: "/").last.map(String.init) ?? "export"
  }
}
