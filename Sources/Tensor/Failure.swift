/// Stops the program because of a programmer's mistake, naming it.
///
/// Used where a caller breaks an operation's precondition, such as multiplying matrices whose
/// inner dimensions differ. Whatever depends on files, recipes or arguments throws instead.
/// `fatalError` keeps its message in optimized builds, where `precondition` loses it.
package func fail(
  _ message: @autoclosure () -> String,
  file: StaticString = #fileID,
  line: UInt = #line
) -> Never {
  fatalError(message(), file: file, line: line)
}

/// Stops the program with `message` unless `condition` holds, in every build configuration.
@inline(__always)
package func require(
  _ condition: Bool,
  _ message: @autoclosure () -> String,
  file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition { fail(message(), file: file, line: line) }
}
