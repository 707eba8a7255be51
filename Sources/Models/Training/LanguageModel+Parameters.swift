package import Tensor

extension LanguageModel {
  /// Makes the weights of some parts parameters.
  ///
  /// The others stay as they are stored, and no gradient is computed for them. A head that is the
  /// embedding is trained with it.
  ///
  /// - Parameters:
  ///   - precision: The precision of the products with trained weights.
  ///   - isSelected: Whether to train a part, by its name, such as
  ///     `model.layers.0.self_attn.q_proj` or `model.norm`.
  /// - Returns: The parameters in the order of the model's parts, biases after their weights.
  /// - Complexity: One float32 copy of what is selected.
  package func makeTrainable(
    precision: ProductPrecision = .float32,
    _ isSelected: (String) -> Bool
  ) -> [Parameter] {
    var parameters: [Parameter] = []
    for section in trainedSections {
      for norm in section.norms where isSelected(norm.name) {
        parameters.append(norm.makeTrainable())
      }
      for linear in section.matrices where isSelected(linear.name) {
        linear.precision = precision
        parameters += linear.makeTrainable()
      }
    }
    return parameters
  }

  /// Gives low-rank adapters to some linear layers of the blocks, whose own weights stay as they
  /// are.
  ///
  /// - Parameters:
  ///   - rank: The inner extent of an adapter's two matrices.
  ///   - alpha: The factor of the adapters' products, times the rank.
  ///   - dropout: The fraction of an adapter's inputs dropped while training.
  ///   - seed: What the first matrices are drawn from, together with the layers' names.
  ///   - precision: The precision of the products with the adapters.
  ///   - isSelected: Whether a linear layer gets an adapter, by its name.
  /// - Returns: The adapters in the order of execution.
  package func addAdapters(
    rank: Int,
    alpha: Double,
    dropout: Double = 0,
    seed: UInt64,
    precision: ProductPrecision = .float32,
    _ isSelected: (String) -> Bool
  ) -> [LowRankAdapter] {
    linears.filter { isSelected($0.name) }.map { linear in
      let adapter = LowRankAdapter(
        name: linear.name,
        outputs: linear.rows,
        inputs: linear.columns,
        rank: rank,
        alpha: alpha,
        dropout: dropout,
        seed: seed ^ Self.hash(linear.name)
      )
      linear.adapter = adapter
      linear.precision = precision
      return adapter
    }
  }

  /// Adds every adapter to its layer's weight and removes it.
  ///
  /// - Parameter dtype: The type of the changed weights; that of the weight before if nil, or
  ///   float32 if it was quantized.
  package func mergeAdapters(as dtype: DType? = nil) {
    for linear in linears {
      guard let adapter = linear.adapter else { continue }
      linear.adapter = nil
      let merged = adapter.merged(into: linear.weight.dense)
      linear.weight = DenseWeight(merged.converted(to: dtype ?? linear.elementType))
    }
  }

  /// Ends training: parameters become constants.
  ///
  /// - Parameter dtype: The type of their elements; the one before training if nil, or float32
  ///   for weights that were quantized.
  package func freeze(as dtype: DType? = nil) {
    for section in sections {
      for norm in section.norms { norm.freeze(as: dtype) }
      for linear in section.matrices { linear.freeze(as: dtype) }
    }
  }

  /// Changes what adapters drop, for the next step; nil for nothing.
  package func setDropoutSeed(_ seed: UInt64?) {
    for linear in linears {
      linear.adapter?.dropoutSeed = seed.map { $0 ^ Self.hash(linear.name) }
    }
  }

  /// The sections in the order of the parts: what comes before the blocks first.
  private var trainedSections: [ModelSection] {
    [sections.last].compactMap(\.self) + sections.dropLast()
  }

  /// A hash of a name that is the same on every machine: FNV-1a.
  private static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

extension Linear {
  /// The dtype of the weight's elements, float32 if it is quantized.
  package var elementType: DType {
    if case .elements(let dtype) = format { dtype } else { .float32 }
  }
}
