internal import Checkpoints
internal import Tensor

/// Reads weights in MLX's mode `affine`.
///
/// Codes are rows of bits in 32-bit words; each group has a scale and a bias. The codes are the
/// same bits as ours and stay mapped.
struct MLXReader: QuantizedReader {
  private struct Settings {
    var bits: Int
    var groupSize: Int
  }

  private let section: JSONValue
  private let file: String

  init(_ section: JSONValue, file: String) throws(ModelError) {
    self.section = section
    self.file = file
    _ = try settings(section, "")
  }

  func contains(_ module: String, _ tensors: any TensorSource) -> Bool {
    tensors.entry("\(module).scales") != nil
  }

  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight {
    let own = section[module]
    let isOwn = if case .object? = own { true } else { false }
    let settings = try settings(isOwn ? own ?? section : section, isOwn ? ".\(module)" : "")
    guard columns % settings.groupSize == 0, columns * settings.bits % 32 == 0 else {
      throw ModelError(
        .inconsistent,
        "\(columns) columns do not divide into groups of \(settings.groupSize)",
        at: "\(file): \(module)",
        remedy: "config.json and weights do not belong together"
      )
    }
    let shape: Shape = [rows, columns / settings.groupSize]
    let words = try source.tensor("\(module).weight", shape: [rows, columns * settings.bits / 32])
    guard words.dtype == .uint32 else {
      throw unsupportedType(words.dtype.rawValue, "\(module).weight", in: file)
    }
    let scales = try source.tensor("\(module).scales", shape: shape)
    let biases = try source.tensor("\(module).biases", shape: shape)
    guard [.float32, .float16, .bfloat16].contains(scales.dtype) else {
      throw unsupportedType(scales.dtype.rawValue, "\(module).scales", in: file)
    }
    guard biases.dtype == scales.dtype else {
      throw unsupportedType(biases.dtype.rawValue, "\(module).biases", in: file)
    }
    let format = GroupFormat(
      bits: settings.bits,
      groupSize: settings.groupSize,
      zero: .offset,
      scaleType: scales.dtype
    )
    return StoredWeight(
      GroupQuantizedWeight(
        codes: words.viewedAsBytes(),
        scales: scales,
        offsets: biases,
        format: format,
        columns: columns
      )
    )
  }

  private func settings(_ section: JSONValue, _ key: String) throws(ModelError) -> Settings {
    let location = "\(file): quantization\(key)"
    let mode = section["mode"]?.string ?? "affine"
    guard mode == "affine" else {
      throw ModelError(
        .unsupported,
        "MLX's mode “\(mode)”: not supported",
        at: location,
        remedy: "start from the unquantized checkpoint, or from one in the mode `affine`"
      )
    }
    guard let bits = section["bits"]?.integer, [2, 3, 4, 5, 6, 8].contains(bits),
      let size = section["group_size"]?.integer, (1...1 << 30).contains(size)
    else {
      throw ModelError(
        .invalid,
        "bits are not 2, 3, 4, 5, 6 or 8, or the group size is no positive number",
        at: location,
        remedy: "fetch config.json again"
      )
    }
    return Settings(bits: bits, groupSize: size)
  }
}
