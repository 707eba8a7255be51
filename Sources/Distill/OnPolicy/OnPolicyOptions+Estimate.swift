internal import Models
internal import Pipeline
internal import TrainStages

extension OnPolicyOptions {
  /// Adds what sampling needs: keys and values of all rows, their logits, and time.
  func add(to estimate: inout TrainingEstimate, _ training: TrainOptions, _ promise: ModelPromise) {
    let model = promise.configuration
    let rows = training.batches.batch / training.batches.accumulation
    let length = min(training.batches.length, prompt + (tokens ?? training.batches.length)) + 1
    let keys = 2 * model.layerCount * rows * length * model.keyHeads * model.headSize
    estimate.extraByteCount += 4 * keys + 12 * rows * model.vocabularySize
    estimate.extraSeconds += share * seconds(training, promise)
  }

  /// About how long the rows of a step take to sample.
  ///
  /// Each token of a part's rows is a pass over the weights, which takes the time to read them or
  /// to multiply all rows by them, whichever is longer, and a choice for each row.
  private func seconds(_ training: TrainOptions, _ promise: ModelPromise) -> Double {
    let parts = training.batches.accumulation
    let rows = Double(training.batches.batch / parts)
    let weights = Double(promise.parameterCount)
    let pass = max(4 * weights / 8e9, 2 * weights * rows / 3e10)
    let choice = rows * Double(promise.configuration.vocabularySize) * 1.5e-8
    return Double(parts * steps(training)) * (pass + choice)
  }

  /// The most tokens that follow a prompt.
  private func steps(_ training: TrainOptions) -> Int {
    min(tokens ?? .max, training.batches.length + 1 - prompt)
  }

  /// What a plan says about sampling.
  func note(_ training: TrainOptions, _ promise: ModelPromise) -> String {
    let once = Wording.seconds(seconds(training, promise))
    let percent = Wording.exact((1000 * share).rounded() / 10)
    var note =
      "\(percent) % of the steps are on texts of the student: up to \(steps(training)) tokens for "
      + "each row take about \(once) a step"
    if let steps = training.steps {
      let all = share * Double(steps) * seconds(training, promise)
      note += ", \(Wording.seconds(all)) in all"
    }
    return note
  }
}
