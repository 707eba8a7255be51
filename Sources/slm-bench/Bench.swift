internal import ArgumentParser

/// Measures speed against this machine's own ceilings.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slm-bench",
    abstract: "Measures kernels, evaluation, training, decoding and tokenizing.",
    discussion: """
      Every figure stands beside what the machine allows, measured in the same process: sgemm \
      GFLOP/s of OpenBLAS, copy GB/s. Nothing else may run meanwhile.

      Examples:
        slm-bench kernels
        slm-bench forward models/SmolLM2-135M --tokens 512
        slm-bench train models/SmolLM2-135M --batch 4 --length 256
        slm-bench decode models/SmolLM2-135M-Instruct.Q4_1.gguf
      """,
    subcommands: [
      KernelsCommand.self, ForwardCommand.self, TrainCommand.self, DecodeCommand.self,
      TokenizeCommand.self,
    ],
    defaultSubcommand: KernelsCommand.self
  )
}

/// Options that every measurement has.
struct MeasurementOptions: ParsableArguments {
  @Option(help: "How often the work is repeated; the best and the median are reported.")
  var `repeat` = 7

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard (1...10_000).contains(`repeat`) else {
      throw ValidationError("--repeat must lie in 1...10000")
    }
  }
}
