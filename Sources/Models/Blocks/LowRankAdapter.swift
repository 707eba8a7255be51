internal import Foundation
package import Tensor

/// A low-rank addition to a frozen weight: `y += scale · x · Aᵀ · Bᵀ`.
///
/// Source: Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021,
/// arXiv:2106.09685, section 4.1. `A` starts as PEFT starts it (Kaiming-uniform with a = √5, which
/// is uniform in ±1/√inputs), the paper's is Gaussian; `B` starts at zero.
package final class LowRankAdapter {
  /// The layer's name.
  package let name: String
  /// `A`, `[rank, inputs]`.
  package let down: Parameter
  /// `B`, `[outputs, rank]`.
  package let up: Parameter
  /// The factor of the product: `alpha / rank`.
  package let scale: Double
  /// The fraction of inputs dropped while training.
  package let dropout: Double
  /// What decides which inputs are dropped, to be changed from step to step; nil to drop none.
  package var dropoutSeed: UInt64?

  /// Makes an adapter that adds nothing yet.
  package init(
    name: String,
    outputs: Int,
    inputs: Int,
    rank: Int,
    alpha: Double,
    dropout: Double,
    seed: UInt64
  ) {
    self.name = name
    var random = Random(seed: seed)
    let bound = 1 / Double(inputs).squareRoot()
    down = Parameter("\(name).lora_A.weight", random.uniform([rank, inputs], in: -bound..<bound))
    up = Parameter("\(name).lora_B.weight", Tensor(zeros: [outputs, rank]))
    scale = alpha / Double(rank)
    self.dropout = dropout
  }

  /// The two matrices.
  package var parameters: [Parameter] { [down, up] }

  /// Returns what the adapter adds to the layer's product, `[..., outputs]`.
  func callAsFunction(_ x: LayerInput, precision: ProductPrecision) -> Tensor {
    let (rate, seed) = (dropout, dropoutSeed)
    func dropped(_ input: Tensor) -> Tensor {
      guard rate > 0, let seed else { return input }
      return input.dropout(rate: rate, seed: seed)
    }
    let narrow = dropped(x.value).linear(
      weight: down.value,
      precision: precision,
      inputAgain: x.again.map { again in { dropped(again()) } }
    )
    return narrow.linear(weight: up.value, precision: precision).scaled(by: scale)
  }

  /// Returns `weight + scale · B · A`, `[outputs, inputs]`, float32.
  package func merged(into weight: Tensor) -> Tensor {
    matrixProduct(
      up.value.detached,
      down.value.detached,
      alpha: scale,
      accumulated: weight
    )
  }
}
