/// What is wrong with a checkpoint, where, and what to do about it.
///
/// ```
/// tensor 'model.norm.weight' ends at byte 9000 of the data, which has 8192
///   where: models/tiny/model.safetensors, byte 64
///   to do: download or copy the file again; it is cut short
/// ```
public struct CheckpointError: Error, Sendable {
  /// The kind of failure.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// No such file, folder or model.
    case notFound
    /// More than one file could be meant.
    case ambiguous
    /// The operating system refuses to open, map or list a file.
    case unreadable
    /// The file ends before what it announces.
    case truncated
    /// The bytes break the rules of their format.
    case malformed
    /// The bytes follow their format, which uses something that is not implemented.
    case unsupported
    /// The checkpoint has no tensor of that name.
    case missingTensor
    /// The metadata have no such key.
    case missingKey
    /// A metadata value is of another type than asked.
    case wrongType
    /// What is to be written breaks the rules of the format or was announced differently.
    case invalidRequest
    /// The operating system refuses to write, for example because the disk is full.
    case unwritable
  }

  /// The kind of failure.
  public var code: Code
  /// What is wrong, one clause without a full stop.
  public var problem: String
  /// The path of the file or folder.
  public var file: String
  /// Where in the file, in bytes from its start.
  public var byteOffset: Int?
  /// The tensor or metadata key concerned.
  public var name: String?
  /// What the user can do, one clause without a full stop.
  public var remedy: String
  /// The error that caused this one.
  public var underlying: (any Error)?

  /// Creates an error.
  public init(
    _ code: Code,
    _ problem: String,
    file: String,
    byteOffset: Int? = nil,
    name: String? = nil,
    remedy: String? = nil,
    underlying: (any Error)? = nil
  ) {
    self.code = code
    self.problem = problem
    self.file = file
    self.byteOffset = byteOffset
    self.name = name
    self.remedy = remedy ?? code.usualRemedy
    self.underlying = underlying
  }
}

extension CheckpointError.Code {
  /// What helps when nothing more is known than the kind of failure.
  var usualRemedy: String {
    switch self {
    case .notFound: "check the path"
    case .ambiguous: "name the file itself"
    case .unreadable: "check that the file exists and may be read"
    case .truncated: "download or copy the file again; it is cut short"
    case .malformed: "download the file again, or write it again with the program that made it"
    case .unsupported: "convert the checkpoint to a supported type, such as BF16 or Q8_0"
    case .missingTensor: "check the name against the checkpoint's entries"
    case .missingKey, .wrongType: "convert the model again with a current converter"
    case .invalidRequest: "correct the call; nothing was written under the final name"
    case .unwritable: "make room or choose another folder; nothing was written under the final name"
    }
  }
}

extension CheckpointError: CustomStringConvertible {
  /// Three lines: what is wrong, where, and what to do.
  public var description: String {
    var place = file
    if let byteOffset { place += ", byte \(byteOffset)" }
    if let name, !problem.contains("'\(name)'") { place += ", '\(name)'" }
    let cause = underlying.map { " (\($0))" } ?? ""
    return "\(problem)\(cause)\n  where: \(place)\n  to do: \(remedy)"
  }
}
