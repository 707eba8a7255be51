import Foundation
import Synchronization

/// Makes a run fail at its n-th step.
final class FaultPlan: Sendable {
  struct Fault: Error, CustomStringConvertible {
    let step: String
    var description: String { "stopped at \(step)" }
  }

  @TaskLocal static var current: FaultPlan?

  private let failingStep: Int
  private let state = Mutex((passed: 0, steps: [String]()))

  init(failingAt step: Int) { failingStep = step }

  /// The steps passed so far.
  var steps: [String] { state.withLock { $0.steps } }

  /// Notes a step of the run in progress, and fails if it is the one to fail at.
  static func pass(_ step: String) throws {
    guard let plan = current else { return }
    let isFailing = plan.state.withLock { state in
      defer { state.passed += 1 }
      state.steps.append(step)
      return state.passed == plan.failingStep
    }
    if isFailing { throw Fault(step: step) }
  }
}
