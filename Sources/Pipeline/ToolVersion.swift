/// The version of the tool, stored with everything it writes.
public enum ToolVersion {
  /// The version in the form `major.minor.patch`.
  ///
  /// Stages finished by another version are run again, as their numbers may have changed.
  public static let current = "0.1.0"
}
