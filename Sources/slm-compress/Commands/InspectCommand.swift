import ArgumentParser
import Pipeline

/// `slm-compress inspect`: what a checkpoint holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Shows what a checkpoint holds: architecture, sizes, formats, tensors, metadata.",
    discussion: """
      Reads headers only, so that the size of the files does not matter. A model whose \
      architecture is not supported is listed all the same.

      Examples:
        slm-compress inspect models/SmolLM2-135M
        slm-compress inspect model.Q4_0.gguf --tensors
        slm-compress inspect model.safetensors --json

      Exit status: 0 shown, 2 no checkpoint or a damaged one.
      """
  )

  @Argument(help: "A folder, a .safetensors or .gguf file, or a model's name in the hub's cache.")
  var path: String

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    try reportingInputErrors {
      let inspection = try Inspection(path, listsTensors: tensors)
      if json {
        try printJSON(inspection)
      } else {
        for line in inspection.lines { print(line) }
      }
    }
  }
}

extension Inspection {
  /// What the command prints.
  var lines: [String] {
    var lines = summary.lines
    if let problem {
      lines.append("\nnot opened as a model: \(TerminalText.clean(problem, keepsLines: true))")
    }
    if !weights.isEmpty {
      lines.append("")
      lines += weightTable.lines
    }
    lines.append("")
    lines += formatTable.lines
    lines.append("")
    lines += (tensors == nil ? groupTable : tensorTable).lines
    if !metadata.isEmpty {
      lines.append("")
      lines += metadataTable.lines
    }
    return lines
  }

  private var summary: TextTable {
    var table = TextTable()
    table.add("checkpoint", "\(path) (\(kind), \(Wording.count(files.count, "file", "files")))")
    if let architecture {
      table.add(
        "architecture",
        "\(architecture.name): \(Wording.count(architecture.layers, "layer", "layers")), "
          + "width \(architecture.width), feed-forward \(architecture.feedForward)"
      )
      table.add(
        "attention",
        "\(architecture.queryHeads) query heads, \(architecture.keyHeads) key heads "
          + "of \(architecture.headSize) channels"
          + (architecture.slidingWindow.map { ", window \($0)" } ?? "")
      )
      table.add(
        "tokens",
        "vocabulary \(architecture.vocabulary), context \(architecture.context), "
          + (architecture.tiedHead ? "head tied to the embedding" : "head of its own")
      )
    }
    table.add(architecture == nil ? "numbers" : "parameters", "\(parameters)")
    table.add(
      "size",
      "\(ByteSize(bytes)) in files, \(ByteSize(tensorBytes)) of it tensors; "
        + "\(Wording.number(bitsPerWeight)) bits per weight"
    )
    return table
  }

  private var weightTable: TextTable {
    var table = TextTable(rightAligned: [1, 2, 3, 4])
    table.add("weights", "matrices", "numbers", "size", "bits per weight")
    for weights in weights {
      table.add(
        weights.format + (weights.inputs.map { ", inputs \($0)" } ?? ""),
        "\(weights.matrices)",
        "\(weights.numbers)",
        "\(ByteSize(weights.bytes))",
        Wording.number(Double(weights.bytes) * 8 / Double(max(1, weights.numbers)))
      )
    }
    return table
  }

  private var formatTable: TextTable {
    var table = TextTable(rightAligned: [1, 2, 3])
    table.add("type", "tensors", "numbers", "size")
    for format in formats {
      table.add(
        format.type,
        "\(format.tensors)",
        "\(format.numbers)",
        "\(ByteSize(format.bytes))"
      )
    }
    return table
  }

  private var groupTable: TextTable {
    var table = TextTable(rightAligned: [1, 4])
    table.add("tensor", "count", "shape", "type", "size")
    for group in groups {
      table.add(
        TerminalText.clean(group.name),
        "\(group.count)",
        "\(group.shape)",
        group.type,
        "\(ByteSize(group.bytes))"
      )
    }
    return table
  }

  private var tensorTable: TextTable {
    var table = TextTable(rightAligned: [3])
    table.add("tensor", "shape", "type", "size")
    for tensor in tensors ?? [] {
      table.add(
        TerminalText.clean(tensor.name),
        "\(tensor.shape)",
        tensor.type,
        "\(ByteSize(tensor.bytes))"
      )
    }
    return table
  }

  private var metadataTable: TextTable {
    var table = TextTable()
    table.add("metadata", "value")
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      table.add(TerminalText.clean(key), Wording.excerpt(TerminalText.clean(value), length: 72))
    }
    return table
  }
}
