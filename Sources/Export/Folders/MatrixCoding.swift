internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// How a kind of folder stores quantized matrices: what it can hold, and in which tensors.
///
/// All else about such a folder is the same for every kind; see ``CodedFolder``.
protocol MatrixCoding {
  /// What the format is called in messages.
  var name: String { get }
  /// The type of tensors that are not quantized; nil for the type they have.
  var plainType: DType? { get }

  /// Why a quantized matrix cannot be stored, without its name; nil if it can.
  func problem(_ part: ModelPromise.Part, _ groups: GroupFormat) -> StageProblem?

  /// What stands against the model as a whole.
  func problems(_ promise: ModelPromise) -> [StageProblem]

  /// What the reader of a plan should know.
  func notes(_ promise: ModelPromise) -> [String]

  /// The size of a quantized matrix in bytes.
  func byteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int

  /// The tensors of a quantized matrix; how far numbers are moved is noted in the meter, if there
  /// is one.
  func tensors(_ linear: Linear, _ groups: GroupFormat, _ meter: ErrorMeter?) -> [ExportedTensor]

  /// The representation in which a reader finds the matrix.
  func stored(_ groups: GroupFormat, columns: Int) -> GroupFormat

  /// Changes config.json, and returns other files to write.
  func configure(_ configuration: inout JSONValue, _ model: LanguageModel) -> [String: JSONValue]
}

extension MatrixCoding {
  /// The representation is that in memory.
  func stored(_ groups: GroupFormat, columns: Int) -> GroupFormat { groups }
}

extension ExportedTensor {
  /// A tensor made of a quantized matrix as a whole.
  init(
    _ name: String,
    _ dtype: DType,
    _ shape: Shape,
    of linear: Linear,
    _ make: @escaping (GroupQuantizedWeight) throws -> Tensor
  ) {
    let format = linear.format
    self.init(TensorDeclaration(name, dtype: dtype, shape: shape)) { body in
      guard let weight = linear.weight as? GroupQuantizedWeight, weight.format == format else {
        throw ExportError(
          .unsupported,
          "the matrix is \(linear.format) instead of \(format)",
          at: linear.name,
          remedy: "this is an error of the program; report it"
        )
      }
      try body(make(weight))
    }
  }
}
