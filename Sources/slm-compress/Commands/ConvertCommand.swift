import ArgumentParser
import Export
import Foundation
import Models
import Pipeline

/// `slm-compress convert`: writes a model in another format, without a recipe.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Writes a model in another format.",
    discussion: """
      An output that ends in .gguf becomes a GGUF file, any other a Hugging Face folder. What was \
      written is opened again and compared with the model before it appears under its name.

      Examples:
        slm-compress convert models/SmolLM2-135M model-q8_0.gguf --type q8_0
        slm-compress convert model-q4_1.gguf model-bf16 --type bfloat16

      Exit status: 0 done, 1 writing failed, 2 bad model or option.
      """
  )

  @Argument(help: "A Hugging Face folder, a GGUF file, or a model's name in the hub's cache.")
  var model: String

  @Argument(help: "The file or folder to write.")
  var output: String

  @Option(
    help: """
      The type of the matrices: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1 or lossless in a GGUF \
      file; float32, bfloat16 or float16 in a folder.
      """
  )
  var type: String

  @Option(help: "The type of embedding and head in a GGUF file, if it is to be another.")
  var embedding: String?

  @Flag(help: "Round quantized matrices a second time where the type cannot hold them exactly.")
  var requantize = false

  @Flag(help: "Replace an output that exists: a file, or a folder with a config.json.")
  var overwrite = false

  func run() throws {
    let format = try format()
    let goal = URL(filePath: output)
    if FileManager.default.fileExists(atPath: goal.path), !overwrite {
      throw argumentError("\(output) exists", "choose another name, or give --overwrite")
    }
    try reportingInputErrors {
      try convert(ModelLoader.load(named: model), to: format, at: goal)
    }
  }

  private func convert(
    _ model: LanguageModel,
    to format: any ExportFormat,
    at goal: URL
  ) throws {
    let conversion = ModelConversion(model, to: format)
    let plan = conversion.plan
    for note in plan.notes { printToStandardError("note: \(note)") }
    guard plan.problems.isEmpty else {
      for problem in plan.problems { printToStandardError("error: \(problem.message)") }
      throw ExitCode(2)
    }
    var status = StatusLine()
    let start = ContinuousClock.now
    let summary = try conversion.write(to: goal) { done, total in
      status.show("writing \(done) of \(total) sections")
    }
    status.clear()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let size = try ModelSize(of: goal, parameterCount: model.parameterCount)
    let bits = Wording.number(size.bitsPerWeight, digits: 3)
    var line =
      "\(output): \(summary.tensorCount) tensors, \(size.byteCount) bytes of weight files, "
      + "\(bits) bits per weight, \(Wording.seconds(seconds))"
    if let error = summary.largestError {
      line += "; largest change \(Wording.number(error.value, digits: 3)) in \(error.name)"
    }
    print(line)
  }

  private func format() throws -> any ExportFormat {
    guard output.lowercased().hasSuffix(".gguf") else {
      guard embedding == nil, !requantize else {
        throw argumentError("--embedding and --requantize are for GGUF files", "leave them out")
      }
      return HuggingFaceFormat(type: try choice(ElementType.self, type, "--type", "a folder"))
    }
    return GGUFFormat(
      type: try choice(GGUFTensorType.self, type, "--type", "a GGUF file"),
      embedding: try embedding.map {
        try choice(GGUFTensorType.self, $0, "--embedding", "a GGUF file")
      },
      requantizes: requantize
    )
  }

  private func choice<Choice: RecipeChoice>(
    _ type: Choice.Type,
    _ text: String,
    _ option: String,
    _ place: String
  ) throws -> Choice {
    if let choice = Choice(rawValue: text.lowercased()) { return choice }
    let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw argumentError("\(option) \(text) is no type of \(place)", "use one of \(names)")
  }
}
