import Pipeline

/// A report with a baseline, a stage, two exports and gates.
func sampleReport(name: String = "sample", part: String = "model.layers.0.mlp.up_proj") -> RunReport
{
  let metrics = StageRegistry(stages: []).metrics.map(RunReport.MetricDescription.init)
  return RunReport(
    name: name,
    date: "2026-11-23T12:00:00Z",
    environment: RunEnvironment(
      tool: "0.1.0",
      system: "Debian GNU/Linux 12",
      processor: "EPYC",
      cores: 2,
      memoryBytes: 24_000_000_000
    ),
    model: RunReport.ModelDescription(source: "models/tiny", parameters: 134_515_008, layers: 30),
    recipe: "model: models/tiny\nstages: []\n",
    resolvedRecipe: "model: models/tiny\nseed: 0\n",
    totalSeconds: 312.5,
    metrics: metrics,
    entries: [
      RunReport.Entry(
        subject: .baseline,
        title: "baseline",
        path: "models/tiny",
        numbers: ["size_bytes": 269_060_552, "bits_per_weight": 16, "perplexity": 23.5116]
      ),
      RunReport.Entry(
        subject: .stage,
        title: "01-quantize.gptq",
        kind: "quantize.gptq",
        input: "baseline",
        path: "01-quantize.gptq",
        options: "{ bits: 4 }",
        numbers: [
          "size_bytes": 96_000_000, "bits_per_weight": 5.71, "perplexity": 24.9,
          "perplexity_standard_error": 0.71, "kl_mean": 0.0465, "top1_agreement": 0.87,
          "top1_agreement_standard_error": 0.0034, "wall_seconds": 75, "peak_bytes": 700_000_000,
          "relative_error": 0.0123,
        ],
        evaluationSeconds: 21,
        layers: [
          StageReport.Layer(part, ["relative_error": 0.0121]),
          StageReport.Layer("model.layers.1.mlp.up_proj", ["relative_error": 0.0101]),
          StageReport.Layer("lm_head", ["relative_error": 0.013, "bits": 8], note: "8 bits"),
        ],
        curve: TrainingCurve(
          training: (1...9).map { TrainingCurve.Point(step: $0, loss: 3 - 0.1 * Double($0)) },
          validation: [0, 9].map { TrainingCurve.Point(step: $0, loss: 3 - 0.05 * Double($0)) }
        ),
        warnings: ["one matrix fell back"]
      ),
      RunReport.Entry(
        subject: .export,
        title: "tiny-q4_0.gguf",
        kind: "export.gguf",
        input: "01-quantize.gptq",
        path: "tiny-q4_0.gguf",
        options: "{ type: q4_0 }",
        numbers: ["size_bytes": 91_700_000, "bits_per_weight": 5.45, "perplexity": 25.1],
        sha256: "9f86d081"
      ),
      RunReport.Entry(
        subject: .export,
        title: "tiny-hf",
        kind: "export.huggingface",
        input: "baseline",
        path: "tiny-hf",
        options: "{}",
        numbers: ["size_bytes": 269_000_000, "perplexity": .infinity]
      ),
    ],
    gates: [
      RunReport.GateOutcome(
        metric: "size",
        of: "tiny-q4_0.gguf",
        bound: "at most 90MiB",
        value: 91_700_000,
        passed: true
      ),
      RunReport.GateOutcome(
        metric: "perplexity_ratio",
        of: "tiny-hf",
        bound: "at most 1.05",
        value: nil,
        passed: false
      ),
    ]
  )
}
