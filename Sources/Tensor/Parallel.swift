internal import CKernels
internal import COpenBLAS
internal import Foundation

/// How many threads work at once, in loops and in matrix products.
///
/// Read once from `SLM_THREADS`, otherwise the processors this process may use. Results do not
/// depend on it: work is divided by rows, and no sum crosses a division. The exception is LAPACK,
/// whose factorizations of 1024 rows and more may differ in the last digits between one thread and
/// several.
public enum Parallelism {
  /// The number of threads.
  public static let threadCount: Int = {
    let asked = ProcessInfo.processInfo.environment["SLM_THREADS"].flatMap(Int.init)
    openblas_set_num_threads(1)
    return max(1, asked ?? ProcessInfo.processInfo.activeProcessorCount)
  }()

  /// Calls OpenBLAS with threads of its own if a matrix of `order` rows and columns is worth it.
  ///
  /// Otherwise it has none, and products are divided here: after a call its threads ask the system
  /// for work for 27 ms before they sleep, beside the threads that have some by then. Factoring a
  /// matrix of 1024 takes 20 ms on one thread.
  package static func withThreadsOfBLAS<Result>(order: Int, _ body: () -> Result) -> Result {
    let threads = threadCount
    guard order >= 1024 && threads > 1 else { return body() }
    openblas_set_num_threads(Int32(threads))
    defer { openblas_set_num_threads(1) }
    return body()
  }
}

/// Runs `body` over parts of `0..<count`, in parallel when there is enough work.
///
/// Parts are contiguous and handed out as threads get free. A loop inside another one's `body`
/// runs on one thread.
///
/// - Parameters:
///   - count: The number of items, such as rows.
///   - grain: The fewest items worth a part of their own. A part should take some microseconds:
///     starting the loop costs about one.
///   - body: Called with disjoint ranges that together are `0..<count`, from any thread.
package func parallelRanges(
  _ count: Int,
  grain: Int = 1,
  _ body: @Sendable (Range<Int>) -> Void
) {
  let threads = Parallelism.threadCount
  guard threads > 1 && count > grain else {
    if count > 0 { body(0..<count) }
    return
  }
  // Eight parts a thread even out threads and parts of unequal speed without much handing out.
  let size = max(grain, (count + 8 * threads - 1) / (8 * threads))
  typealias Body = @Sendable (Range<Int>) -> Void
  withoutActuallyEscaping(body) { body in
    withUnsafePointer(to: body) { pointer in
      slm_parallel(
        Int32(threads),
        Int64(count),
        Int64(size),
        UnsafeMutableRawPointer(mutating: pointer)
      ) { context, begin, end in
        guard let context else { return }
        context.assumingMemoryBound(to: Body.self).pointee(Int(begin)..<Int(end))
      }
    }
  }
}

/// A pointer that a parallel loop's parts share, each touching its own range.
package struct Shared<Pointer>: @unchecked Sendable {
  package let pointer: Pointer
  package init(_ pointer: Pointer) { self.pointer = pointer }
}
