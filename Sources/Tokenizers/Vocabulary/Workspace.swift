internal import Synchronization

/// The memory one call of `encode` works in: the word cache and the arrays of the merger.
///
/// Never used by two calls at a time: ``WorkspacePool`` hands each one to a single caller.
final class Workspace: @unchecked Sendable {
  // The pool sees to exclusive access; checking it for every word costs a tenth of the time.
  @exclusivity(unchecked) var cache = WordCache()
  @exclusivity(unchecked) var merge = MergeScratch()
}

/// Lends workspaces to concurrent calls, so that word caches stay warm from call to call.
final class WorkspacePool: Sendable {
  /// More are made when more calls run at once, and dropped when they end.
  private static let keptLimit = 8
  private let idle = Mutex<[Workspace]>([])

  func take() -> Workspace {
    idle.withLock { $0.popLast() } ?? Workspace()
  }

  func giveBack(_ workspace: Workspace) {
    idle.withLock { idle in
      if idle.count < Self.keptLimit { idle.append(workspace) }
    }
  }
}
