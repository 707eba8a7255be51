internal import Datasets
internal import Foundation
internal import Models
internal import Tensor

extension LanguageModel {
  /// The normalized hidden states at the counted positions of a window, `[counted, D]`.
  func countedStates(_ text: EvaluationText, _ window: Int) -> Tensor {
    let hidden = hidden([text.input(window)])  // [1, T, D]
    return hidden.reshaped([text.windows.length, configuration.hiddenSize]).rows(text.counted)
  }

  /// The first place where a window's numbers are not finite: runs the window again and looks at
  /// every layer's input.
  func firstNotFinite(_ text: EvaluationText, _ window: Int) -> String {
    var place: String?
    let hidden = hidden([text.input(window)], cache: nil) { linear, input in
      if place == nil && !input.isFinite { place = "the input of \(linear.name)" }
    }
    if let place { return place }
    return hidden.isFinite ? "the logits" : "the output of \(finalNorm.name)"
  }
}

extension Tensor {
  /// Whether every element of a float32 tensor is a finite number.
  fileprivate var isFinite: Bool {
    withElements(as: Float.self) { $0.allSatisfy(\.isFinite) }
  }
}
