import Models
import Tensor
import TestSupport
import Testing
import Train

@Suite("Training against transformers and torch")
struct TrainingGoldenTests {
  static let models = [
    "llama-grouped", "llama-bias", "llama-full", "mistral-window", "qwen3",
  ]

  struct Example {
    let model: LanguageModel
    let parameters: [Parameter]
    let golden: Golden
    let (tokens, targets): ([Int32], [Int32])
    let rows: Int

    init(_ name: String) throws {
      model = try GoldenModel(name: name).load()
      parameters = model.makeTrainable { _ in true }
      golden = try Golden("models/\(name)/training.safetensors")
      tokens = golden["tokens"].elements(as: Int32.self)
      targets = golden["targets"].elements(as: Int32.self)
      rows = golden["tokens"].shape[0]
    }

    func gradients(
      _ recomputation: Recomputation = .none,
      starts: [Int32]? = nil
    ) -> (loss: Double, gradients: Gradients) {
      let (value, gradients) = differentiate(parameters) {
        model.trainingLoss(
          tokens,
          targets: targets,
          rows: rows,
          documentStarts: starts,
          recomputation: recomputation
        )
      }
      return (value.scalar, gradients)
    }

    /// What is wrong with a gradient: it may be off by 1e-4 of its largest element.
    func objection(_ gradients: Gradients, _ parameter: Parameter, _ prefix: String = "") -> String?
    {
      let expected = golden[prefix + parameter.name]
      guard let actual = gradients[parameter] else { return "no gradient of \(parameter.name)" }
      return difference(actual, expected, absolute: 1e-4 * expected.largestMagnitude()).map {
        "\(parameter.name): \($0)"
      }
    }
  }

  @Test("loss and all gradients", arguments: models, Recomputation.allCases)
  func gradients(name: String, recomputation: Recomputation) throws {
    let example = try Example(name)
    let (loss, gradients) = example.gradients(recomputation)
    #expect(abs(loss - example.golden["loss"].scalar) < 1e-5)
    for parameter in example.parameters {
      #expect(example.objection(gradients, parameter) == nil)
    }
  }

  @Test("recomputation changes no bit", arguments: [Recomputation.feedForward, .blocks])
  func recomputation(_ recomputation: Recomputation) throws {
    let example = try Example("llama-grouped")
    let plain = example.gradients().gradients
    let again = example.gradients(recomputation).gradients
    for parameter in example.parameters {
      let (a, b) = (try #require(plain[parameter]), try #require(again[parameter]))
      #expect(a.elements(as: Float.self) == b.elements(as: Float.self), "\(parameter.name)")
    }
  }

  @Test("documents packed in a row do not see each other")
  func packing() throws {
    let example = try Example("llama-grouped")
    let starts = example.golden["packed.starts"].elements(as: Int32.self)
    let (loss, gradients) = example.gradients(starts: starts)
    #expect(abs(loss - example.golden["packed.loss"].scalar) < 1e-5)
    for parameter in example.parameters {
      #expect(example.objection(gradients, parameter, "packed.") == nil)
    }
  }

  @Test("gradients of parts, weighted by their predictions, add up to those of the whole")
  func accumulation() throws {
    let example = try Example("llama-grouped")
    let length = example.tokens.count / example.rows
    var sums = Gradients()
    let counted = example.targets.filter { $0 >= 0 }.count
    for row in 0..<example.rows {
      let part = row * length..<(row + 1) * length
      let targets = Array(example.targets[part])
      let weight = Double(targets.filter { $0 >= 0 }.count) / Double(counted)
      _ = differentiate(example.parameters, addingTo: &sums, weight: weight) {
        example.model.trainingLoss(Array(example.tokens[part]), targets: targets, rows: 1)
      }
    }
    for parameter in example.parameters { #expect(example.objection(sums, parameter) == nil) }
  }

  @Test("twenty steps of AdamW with clipping", arguments: [1, 2])
  func curve(parts: Int) throws {
    let example = try Example("llama-grouped")
    let batches = example.golden["curve.tokens"]  // [steps, B, T + 1]
    let (steps, rows, length) = (batches.shape[0], batches.shape[1], batches.shape[2] - 1)
    let all = batches.elements(as: Int32.self)
    var losses: [Double] = []
    var options = TrainingOptions(schedule: .constant(peak: 1e-2, steps: steps))
    options.clipNorm = 1
    options.partsPerStep = parts
    options.checkpointTime = nil
    let loop = TrainingLoop<[[Int32]]>(
      parameters: example.parameters,
      optimizer: AdamW(beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1),
      options: options,
      batch: { step, part in
        let count = rows / parts
        return (part * count..<(part + 1) * count).map { row in
          let first = ((step - 1) * rows + row) * (length + 1)
          return Array(all[first..<first + length + 1])
        }
      },
      tokenCount: { $0.count * length },
      loss: { sequences in
        example.model.trainingLoss(
          sequences.flatMap { $0.dropLast() },
          targets: sequences.flatMap { $0.dropFirst() },
          rows: sequences.count
        )
      },
      onProgress: { losses.append($0.loss) }
    )
    _ = try loop.run()
    let expected = example.golden["curve"].numbers
    #expect(difference(losses, expected, absolute: 1e-4) == nil)
    #expect(losses[steps - 1] < losses[0])
    for parameter in example.parameters {
      let final = example.golden["final.\(parameter.name)"]
      #expect(
        difference(parameter.value, final, absolute: 2e-3) == nil,
        "\(parameter.name)"
      )
    }
  }
}
