internal import Datasets
internal import Evaluate
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// A teacher that is asked only for rows of text that it has not seen before.
struct CachedTeacher {
  let teacher: TeacherModel
  let cache: TeacherCache
  private let temperature: Double
  private let separatesDocuments: Bool

  /// Takes a cache that is open.
  init(
    teacher: TeacherModel,
    cache: TeacherCache,
    temperature: Double,
    separatesDocuments: Bool
  ) {
    (self.teacher, self.cache) = (teacher, cache)
    (self.temperature, self.separatesDocuments) = (temperature, separatesDocuments)
  }

  /// Opens the cache that the options name, or one that lives as long as the stage is running.
  init(
    _ teacher: TeacherModel,
    options: CacheOptions,
    temperature: Double,
    separatesDocuments: Bool,
    _ context: StageContext
  ) throws {
    let folder = options.path?.url(context.paths) ?? context.stateFolder.appending(path: "teacher")
    let cache = try TeacherCache(
      folder,
      TeacherCache.Description(
        teacher: try Digest.of(model: teacher.model.companions.origin),
        vocabulary: teacher.vocabulary.common,
        topK: min(options.topK, teacher.vocabulary.common),
        temperature: temperature,
        tokens: teacher.vocabulary.digest
      )
    )
    self.init(
      teacher: teacher,
      cache: cache,
      temperature: temperature,
      separatesDocuments: separatesDocuments
    )
    for note in cache.notes { context.warn("\(note): \(cache.file.path)") }
  }

  /// The teacher's most likely tokens at every position of a batch; positions after the last that
  /// counts in a row hold nothing.
  func tokens(of batch: TokenBatch) throws -> MostLikelyTokens {
    let count = cache.coding.count
    let inputs = try teacher.vocabulary.teacherInputs(batch)
    var tokens: [Int32] = []
    var (probabilities, rest) = ([Float](), [Float]())
    for row in 0..<batch.rows {
      let range = row * batch.columns..<(row + 1) * batch.columns
      let used = (batch.targets[range].lastIndex { $0 >= 0 } ?? range.lowerBound - 1) + 1
      if used > range.lowerBound {
        let known = try self.row(batch, inputs, range.lowerBound..<used)
        tokens += known.tokens
        probabilities += known.probabilities
        rest += known.rest
      }
      for _ in used..<range.upperBound {
        tokens += (0..<Int32(count))
        probabilities += repeatElement(0, count: count)
        rest.append(1)
      }
    }
    return MostLikelyTokens(
      count: count,
      tokens: tokens,
      probabilities: probabilities,
      rest: rest
    )
  }

  private func row(
    _ batch: TokenBatch,
    _ inputs: [Int32],
    _ range: Range<Int>
  ) throws -> MostLikelyTokens {
    let tokens = batch.tokens[range]
    let starts =
      separatesDocuments ? batch.documentStarts[range] : ArraySlice(range.map { _ in 0 })
    return try cache.row(TeacherCache.key(tokens, starts: starts), positions: range.count) {
      // Row by row, so that the outputs do not depend on what else is in the batch.
      let hidden = teacher.model.trainingHidden(
        Array(inputs[range]),
        rows: 1,
        documentStarts: separatesDocuments ? Array(starts) : nil,
        recomputation: .none
      )
      return try likely(hidden)
    }
  }

  /// The most likely tokens after hidden states.
  ///
  /// - Throws: ``DistillError`` if a probability is not a number.
  private func likely(_ hidden: Tensor) throws(DistillError) -> MostLikelyTokens {
    let known = teacher.model.mostLikelyTokens(
      after: hidden,
      count: cache.coding.count,
      vocabulary: teacher.vocabulary.common,
      common: teacher.vocabulary.tokens,
      temperature: temperature
    )
    guard let known else {
      throw DistillError(
        .notFinite,
        "the teacher's outputs are infinite or not a number",
        at: teacher.model.companions.name,
        remedy: "its checkpoint is damaged: fetch it again, or name another teacher"
      )
    }
    return known
  }

  /// Reports how often the teacher ran.
  func report(to report: inout StageReport) {
    report.metrics["teacher_rows_computed"] = Double(cache.added)
    report.metrics["teacher_rows_found"] = Double(cache.found)
    report.metrics["teacher_bytes_per_token"] = Double(cache.coding.byteCount)
    if let cut = cache.cutOff {
      report.warnings.append(
        "\(ByteSize(cut)) at the end of \(cache.file.path) were no whole row and were cut off"
      )
    }
    if cache.notes.contains(where: { $0.hasPrefix("a damaged row") }) {
      report.warnings.append("damaged rows of \(cache.file.path) were computed again")
    }
  }
}
