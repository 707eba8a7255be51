internal import ArgumentParser

/// Times the tensor kernels on the shapes of SmolLM2-135M.
struct KernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Time the kernels beside OpenBLAS and memory copies."
  )

  @OptionGroup var options: MeasurementOptions

  func run() throws {
    let ceilings: [Kernels.Figure] = [
      ("openblas_sgemm_gigaflops_per_second", MachineCeiling.sgemm()),
      ("copy_gigabytes_per_second", MachineCeiling.copy()),
    ]
    try report(
      "Kernels on the shapes of SmolLM2-135M; products in GFLOP/s",
      ceilings + Kernels(repetitions: options.repeat).measured(),
      json: options.json
    )
  }
}
