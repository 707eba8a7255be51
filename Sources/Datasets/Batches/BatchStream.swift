internal import Crypto
internal import Foundation

/// Where a stream of batches stands: enough to go on with the same batches.
public struct BatchStreamState: Sendable, Hashable, Codable {
  /// How many rows were handed out.
  public var rows: Int
  /// A hash of the data and the options that decide the order.
  public var order: String
}

/// Batches from one data set or a mixture of several, in an order that the seed decides.
///
/// The row at each position is a pure function of the data, the options and the seed, so that a
/// run that was interrupted goes on as if it had not been, on any number of threads:
///
/// - The next row comes from the source whose share lags behind most, the first of equals. Each
///   row adds to every source that has not ended its weight as a fraction of the sum, and takes 1
///   from the source it comes from; the largest balance is next.
/// - Each source goes through its epochs. In each, all its documents and all its rows are put in
///   an order drawn by SplitMix64 from the seed, the source's position in the mixture, and the
///   epoch. There is no shuffle buffer: tokens are in memory or mapped, so any order can be read.
///
/// ```swift
/// var stream = try BatchStream([BatchSource(store.all)], options: BatchOptions(length: 512))
/// while let batch = stream.next(rows: 8) { … }
/// ```
public struct BatchStream: Sendable {
  private struct Position {
    var row = 0
    var epoch = 0
    var balance = 0.0
  }

  private let sources: [BatchSource]
  private let options: BatchOptions
  private let order: String
  private let weights: [Double]
  private var plans: [RowPlan]
  private var positions: [Position]
  private var rows = 0

  /// Prepares a stream.
  ///
  /// - Parameters:
  ///   - sources: The data sets, at least one.
  ///   - options: How rows are made and ordered.
  /// - Throws: ``DatasetError`` if a weight or the length is not positive, if a document does not
  ///   fit and `overlong` is `error`, or if nothing in a source counts.
  /// - Complexity: Reads all tokens once; keeps a few words for each document and row.
  public init(_ sources: [BatchSource], options: BatchOptions) throws(DatasetError) {
    try Self.check(sources, options)
    (self.sources, self.options) = (sources, options)
    var plans: [RowPlan] = []
    for (index, source) in sources.enumerated() {
      var random = SplitMix(options.seed, UInt64(index))
      plans.append(try RowPlan(source, options: options, seed: random.next()))
    }
    self.plans = plans
    weights = zip(sources, plans).map { $0.weight ?? Double($1.counts.rows) }
    positions = sources.map { _ in Position() }
    order = Self.hash(sources, options)
  }

  private static func check(
    _ sources: [BatchSource],
    _ options: BatchOptions
  ) throws(DatasetError) {
    var (problem, place): (String?, String) = (nil, "batches")
    if sources.isEmpty { problem = "there is no source" }
    if options.length < 1 || options.length > Int(Int32.max) {
      problem = "rows of \(options.length) tokens cannot be made"
    }
    if options.paddingToken < 0 {
      problem = "the padding token \(options.paddingToken) is negative"
    }
    for source in sources where problem == nil {
      place = source.slice.store.name
      let weight = source.weight ?? 1
      if !(weight > 0 && weight.isFinite) {
        problem = "the weight \(weight) is not above 0"
      } else if let epochs = source.epochs, epochs < 1 {
        problem = "\(epochs) epochs are less than one"
      }
    }
    guard let problem else { return }
    throw DatasetError(.invalidOptions, problem, at: place, remedy: "correct the options")
  }

  private static func hash(_ sources: [BatchSource], _ options: BatchOptions) -> String {
    let parts = sources.map {
      "\($0.slice.store.key) \($0.slice.tokens) \($0.packing.rawValue) \($0.weight?.bitPattern ?? 0) "
        + "\($0.epochs ?? 0)"
    }
    let text = """
      \(parts.joined(separator: "\n"))
      \(options.length) \(options.overlong.rawValue) \(options.separatesDocuments) \
      \(options.shuffles) \(options.keepsRows) \(options.seed) \(options.paddingToken)
      """
    return SHA256.hash(data: Data(text.utf8)).hexadecimal
  }

  // MARK: Batches

  /// Returns the next batch; nil when every source has ended.
  ///
  /// - Parameter rows: The number of rows, from 1. The last batch may have fewer.
  /// - Returns: A batch of ``BatchOptions/length`` columns; in a batch of padded documents only,
  ///   of as many as the longest needs.
  public mutating func next(rows: Int) -> TokenBatch? {
    var chosen: [(source: Int, segments: [Range<Int>])] = []
    while chosen.count < max(1, rows), let (source, row, epoch) = advance() {
      chosen.append((source, plans[source].segments(row: row, epoch: epoch)))
    }
    guard !chosen.isEmpty else { return nil }
    let columns = chosen.map { source, segments in
      guard sources[source].packing == .padded else { return options.length }
      return segments.reduce(-1) { $0 + $1.count }
    }
    var batch = TokenBatch(
      rows: chosen.count,
      columns: columns.max() ?? options.length,
      padding: options.paddingToken
    )
    for (row, (source, segments)) in chosen.enumerated() {
      sources[source].slice.store.withWords {
        batch.fill(
          row,
          with: segments,
          of: $0,
          separatesDocuments: options.separatesDocuments
        )
      }
    }
    return batch
  }

  /// Finds the place of the next row and steps over it.
  private mutating func advance() -> (source: Int, row: Int, epoch: Int)? {
    let active = sources.indices.filter { index in
      sources[index].epochs.map { positions[index].epoch < $0 } ?? true
    }
    guard !active.isEmpty else { return nil }
    let sum = active.reduce(0) { $0 + weights[$1] }
    var best = active[0]
    for index in active {
      positions[index].balance += weights[index] / sum
      if positions[index].balance > positions[best].balance { best = index }
    }
    positions[best].balance -= 1
    let place = (best, positions[best].row, positions[best].epoch)
    positions[best].row += 1
    if positions[best].row == plans[best].counts.rows {
      positions[best].row = 0
      positions[best].epoch += 1
    }
    rows += 1
    return place
  }

  // MARK: Standing

  /// What became of each source's documents.
  public var counts: [PackingCounts] { plans.map(\.counts) }

  /// How far each source is, in epochs.
  public var epochs: [Double] {
    zip(positions, plans).map { position, plan in
      Double(position.epoch) + Double(position.row) / Double(plan.counts.rows)
    }
  }

  /// How many rows there are from the start to the end; nil if there is no end.
  public var rowCount: Int? {
    var total = 0
    for (source, plan) in zip(sources, plans) {
      guard let epochs = source.epochs else { return nil }
      let (rows, overflow) = plan.counts.rows.multipliedReportingOverflow(by: epochs)
      guard !overflow, total <= Int.max - rows else { return nil }
      total += rows
    }
    return total
  }

  /// Where the stream stands.
  public var state: BatchStreamState { BatchStreamState(rows: rows, order: order) }

  /// Goes to where another stream stood.
  ///
  /// - Parameter state: The state of a stream of the same data and options.
  /// - Throws: ``DatasetError`` if the data or the options are not the same.
  /// - Complexity: O(rows handed out · sources), without reading any.
  public mutating func restore(_ state: BatchStreamState) throws(DatasetError) {
    guard state.order == order, state.rows >= 0 else {
      throw DatasetError(
        .otherData,
        "the state was saved with other data or options",
        at: sources.map(\.slice.store.name).joined(separator: ", "),
        remedy: "go on with the same data and options, or start anew"
      )
    }
    positions = sources.map { _ in Position() }
    rows = 0
    while rows < state.rows, advance() != nil {}
  }
}
