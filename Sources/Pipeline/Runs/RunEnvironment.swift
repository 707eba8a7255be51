import Foundation

/// The machine and the tool that a run was made with.
public struct RunEnvironment: Sendable, Codable, Hashable {
  /// The version of the tool.
  public var tool: String
  /// The operating system's name.
  public var system: String
  /// The processor's name.
  public var processor: String
  /// The number of cores that the process may use.
  public var cores: Int
  /// The machine's memory in bytes.
  public var memoryBytes: Int

  /// Creates a description of a machine.
  public init(tool: String, system: String, processor: String, cores: Int, memoryBytes: Int) {
    self.tool = tool
    self.system = system
    self.processor = processor
    self.cores = cores
    self.memoryBytes = memoryBytes
  }

  /// The present machine.
  public static var current: RunEnvironment {
    let process = ProcessInfo.processInfo
    return RunEnvironment(
      tool: ToolVersion.current,
      system: value(of: "PRETTY_NAME=", in: "/etc/os-release")
        ?? process.operatingSystemVersionString,
      processor: value(of: "model name", in: "/proc/cpuinfo") ?? "unknown",
      cores: process.activeProcessorCount,
      memoryBytes: Int(clamping: process.physicalMemory)
    )
  }

  enum CodingKeys: String, CodingKey {
    case tool, system, processor, cores
    case memoryBytes = "memory_bytes"
  }

  private static func value(of key: String, in file: String) -> String? {
    // Files of /proc have no size, so that they are read as lines of a stream.
    guard let handle = FileHandle(forReadingAtPath: file), let data = try? handle.readToEnd() else {
      return nil
    }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix(key) }) else { return nil }
    return line.dropFirst(key.count).trimmingCharacters(in: CharacterSet(charactersIn: "\t :\"="))
  }
}
