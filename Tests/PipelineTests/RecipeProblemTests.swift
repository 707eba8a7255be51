import Foundation
import Pipeline
import Testing

@Suite("Problems of recipes")
struct RecipeProblemTests {
  /// A recipe with what the user sees.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let recipe: String
    let message: String
    var testDescription: String { name }
  }

  @Test("are shown where they are, all at once, with what would be right", arguments: cases)
  func message(_ example: Case) throws {
    #expect(try problems(example.recipe) == example.message)
  }

  @Test("found against the model are shown at the option", arguments: modelCases)
  func modelMessage(_ example: Case) throws {
    #expect(try problems(example.recipe, plans: true) == example.message)
  }

  @Test("a recipe without any has none")
  func valid() throws {
    #expect(try problems(complete, plans: true) == "")
  }

  static let cases: [Case] = [
    Case(
      name: "several at once",
      recipe: """
        model: llama-3
        sead: 7
        stages:
          - sample.all: { sparsity: 1.5, bits: 4.5, patern: x, is_symmetric: yes }
        """,
      message: """
        test.yaml:2:1: error: unknown key `sead`; did you mean `seed`?
        sead: 7
        ^
        test.yaml:4:29: error: sparsity must be at least 0 and less than 1, not `1.5`
          - sample.all: { sparsity: 1.5, bits: 4.5, patern: x, is_symmetric: yes }
                                    ^
        test.yaml:4:40: error: bits must be a whole number, not `4.5`
          - sample.all: { sparsity: 1.5, bits: 4.5, patern: x, is_symmetric: yes }
                                               ^
        test.yaml:4:45: error: unknown key `patern`; known keys: sparsity, bits, group_size, order, \
        is_symmetric, text, label, limit, rates, rules, others, targets, exclude
          - sample.all: { sparsity: 1.5, bits: 4.5, patern: x, is_symmetric: yes }
                                                    ^
        test.yaml:4:70: error: is_symmetric must be `true` or `false`, not `yes`
          - sample.all: { sparsity: 1.5, bits: 4.5, patern: x, is_symmetric: yes }
                                                                             ^
        """
    ),
    Case(
      name: "unknown stage",
      recipe: "model: m\nstages:\n  - sample.al: {}\n",
      message: """
        test.yaml:3:5: error: unknown stage `sample.al`; did you mean `sample.all`?
          - sample.al: {}
            ^
        """
    ),
    Case(
      name: "options beside the stage",
      recipe: "model: m\nstages:\n  - sample.all:\n    bits: 4\n",
      message: """
        test.yaml:4:5: error: `bits` stands beside `sample.all`; indent the options of a stage under it
            bits: 4
            ^
        """
    ),
    Case(
      name: "missing keys",
      recipe: "seed: 1\nstages:\n  - test.dump:\n",
      message: """
        test.yaml:1:1: error: `model` is missing: The model to start from: a folder in Hugging Face's \
        layout, a GGUF file, the name of a model in the local hub cache, or a new one that is \
        described under `new`.
        seed: 1
        ^
        test.yaml:3:5: error: `path` is missing: Where to write.
          - test.dump:
            ^
        """
    ),
    Case(
      name: "no stages",
      recipe: "model: m\nstages: []\n",
      message: """
        test.yaml:2:9: error: the recipe has no stages
        stages: []
                ^
        """
    ),
    Case(
      name: "keys given twice",
      recipe: """
        model: m
        seed: 1
        stages:
          - sample.all: { bits: 4, bits: 5, order: x }
        seed: 2
        """,
      message: """
        test.yaml:4:28: error: `bits` is given twice, first on line 4
          - sample.all: { bits: 4, bits: 5, order: x }
                                   ^
        test.yaml:4:44: error: order must be `stored` or `by_diagonal`, not `x`
          - sample.all: { bits: 4, bits: 5, order: x }
                                                   ^
        test.yaml:5:1: error: `seed` is given twice, first on line 2
        seed: 2
        ^
        """
    ),
    Case(
      name: "nearest choice",
      recipe: "model: m\nstages:\n  - sample.all: { order: by_diagnal }\n",
      message: """
        test.yaml:3:26: error: order must be `stored` or `by_diagonal`, not `by_diagnal`; \
        did you mean `by_diagonal`?
          - sample.all: { order: by_diagnal }
                                 ^
        """
    ),
    Case(
      name: "options that contradict each other",
      recipe: "model: m\nstages:\n  - sample.all:\n      order: by_diagonal\n      bits: 8\n",
      message: """
        test.yaml:4:14: error: more than 4 bits need the order `stored`
              order: by_diagonal
                     ^
        """
    ),
    Case(
      name: "inside lists",
      recipe: """
        model: m
        stages:
          - sample.all:
              rates: [1, x, 2, nan]
              rules:
                - { bits: 9, targets: "*" }
                - { targets: [] }
        """,
      message: """
        test.yaml:4:18: error: rates must be a number, not `x`
              rates: [1, x, 2, nan]
                         ^
        test.yaml:4:24: error: rates must be a number, not `nan`
              rates: [1, x, 2, nan]
                               ^
        test.yaml:6:19: error: bits must be between 2 and 8, not `9`
                - { bits: 9, targets: "*" }
                          ^
        test.yaml:7:11: error: `bits` is missing: Bits per code.
                - { targets: [] }
                  ^
        """
    ),
    Case(
      name: "sizes and paths",
      recipe: """
        model: m
        stages:
          - sample.all: { limit: 90 mib, text: builtin:calibraton }
          - test.dump: { path: ../x }
          - test.dump: { path: /etc/passwd }
        """,
      message: """
        test.yaml:3:26: error: limit must be a size such as `90MiB`, not `90 mib`
          - sample.all: { limit: 90 mib, text: builtin:calibraton }
                                 ^
        test.yaml:3:40: error: text must be a text file's path, or a built-in text such as \
        `builtin:evaluation`, not `builtin:calibraton`; did you mean `builtin:calibration`?
          - sample.all: { limit: 90 mib, text: builtin:calibraton }
                                               ^
        test.yaml:4:24: error: path must be a path inside the run directory, not `../x`
          - test.dump: { path: ../x }
                               ^
        test.yaml:5:24: error: path must be a path inside the run directory, not `/etc/passwd`
          - test.dump: { path: /etc/passwd }
                               ^
        """
    ),
    Case(
      name: "gates",
      recipe: """
        model: m
        stages:
          - test.dump: { path: a.bin }
          - test.dump: { path: a.bin }
        gates:
          perplexty: { at_most: 3 }
          perplexity_ratio: { at_most: 1.05 }
          size: { at_most: 90MiB, of: b.bin }
          bits_per_weight: {}
        """,
      message: """
        test.yaml:6:3: error: unknown metric `perplexty`; did you mean `perplexity`?
          perplexty: { at_most: 3 }
          ^
        test.yaml:9:20: error: a gate needs `at_most` or `at_least`
          bits_per_weight: {}
                           ^
        """
    ),
    Case(
      name: "gates that nothing answers",
      recipe: """
        model: m
        stages:
          - test.dump: { path: a.bin }
          - test.dump: { path: a.bin }
        gates:
          perplexity_ratio: { at_most: 1.05 }
          size: { at_most: 90MiB, of: b.bin }
        """,
      message: """
        test.yaml:4:24: error: `a.bin` is where stage 0 (test.dump) writes already
          - test.dump: { path: a.bin }
                               ^
        test.yaml:6:21: error: `perplexity_ratio` is measured only if the recipe has an `evaluation`
          perplexity_ratio: { at_most: 1.05 }
                            ^
        test.yaml:7:31: error: no export or stage is called `b.bin`; did you mean `a.bin`?
          size: { at_most: 90MiB, of: b.bin }
                                      ^
        """
    ),
    Case(
      name: "no YAML",
      recipe: "model: m\nstages: [a, b\nseed: 1\n",
      message: """
        test.yaml:3:5: error: not YAML: did not find expected ',' or ']', while parsing a flow \
        sequence that began on line 2
        seed: 1
            ^
        """
    ),
    Case(
      name: "a pattern without quotes",
      recipe: "model: m\nstages:\n  - sample.all: {targets: *.mlp}\n",
      message: """
        test.yaml:3:27: error: a value that begins with `*` must be in quotes
          - sample.all: {targets: *.mlp}
                                  ^
        """
    ),
    Case(
      name: "empty",
      recipe: "# nothing\n",
      message: """
        test.yaml:1:1: error: the recipe is empty
        # nothing
        ^
        """
    ),
    Case(
      name: "a list",
      recipe: "- 1\n",
      message: """
        test.yaml:1:1: error: the recipe must be keys with values, not a list
        - 1
        ^
        """
    ),
    Case(
      name: "control characters",
      recipe: "model: m\n\u{1B}[2J: 1\n",
      message: """
        test.yaml:1:1: error: not YAML: control characters are not allowed
        model: m
        ^
        """
    ),
  ]

  static let modelCases: [Case] = [
    Case(
      name: "patterns without a match",
      recipe: """
        model: llama-3
        stages:
          - test.scale: { targets: ["model.layers.*.mlp.*", "model.layers.*.mpl.up_proj"] }
        """,
      message: """
        test.yaml:3:53: error: `model.layers.*.mpl.up_proj` matches no weight matrix; the nearest are \
        `model.layers.*.mlp.up_proj`, `model.layers.*.mlp.down_proj` and `model.layers.*.mlp.gate_proj`
          - test.scale: { targets: ["model.layers.*.mlp.*", "model.layers.*.mpl.up_proj"] }
                                                            ^
        """
    ),
    Case(
      name: "nothing left",
      recipe: "model: llama-3\nstages:\n  - test.scale: { exclude: model.* }\n",
      message: """
        test.yaml:3:28: error: nothing is left to work on
          - test.scale: { exclude: model.* }
                                   ^
        """
    ),
    Case(
      name: "two rules for one layer",
      recipe: """
        model: llama-3
        stages:
          - sample.all:
              rules:
                - { bits: 4, targets: model.layers.*.mlp.* }
                - { bits: 3, targets: model.layers.1.* }
        """,
      message: """
        test.yaml:6:31: error: `model.layers.1.mlp.gate_proj` and 2 more is claimed by `rules.0` already
                - { bits: 3, targets: model.layers.1.* }
                                      ^
        """
    ),
  ]
}

/// A recipe that uses most of what there is.
let complete = """
  # A comment.
  model: llama-3
  name: all-of-it
  seed: 7
  evaluation: { perplexity: builtin:evaluation, protocol: llama.cpp, context: 64, tokens: null }
  stages:
    - test.scale: { factor: 0.5, targets: [model.layers.0.*, "*.down_proj"], exclude: "*.q_proj" }
    - sample.all:
        sparsity: 1e-3
        group_size: null
        label: "12"
        limit: 1.5GB
        rules:
          - { bits: 3, targets: model.layers.0.* }
          - { bits: 2, targets: model.layers.1.* }
    - test.dump: { path: out/weights.txt }
    - test.dump: { path: folder, folder: true }
  gates:
    perplexity_ratio: { at_most: 1.05 }
    size: [{ at_most: 90MiB, of: out/weights.txt }, { at_least: 1, of: 04-test.dump }]
    top1_agreement: { at_least: 0.9, of: test.scale }
  """
