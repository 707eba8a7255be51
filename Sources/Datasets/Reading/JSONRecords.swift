/// The records of a file of JSON lines.
final class JSONRecords {
  private var lines: LineReader
  private let location: String
  private let options: RecordOptions
  /// The form of the records, once the first is read.
  private(set) var form: RecordForm?

  init(_ bytes: any ByteSource, location: String, options: RecordOptions) {
    lines = LineReader(bytes, location: location)
    (self.location, self.options) = (location, options)
    form = options.form == .detected ? nil : options.form
  }

  /// A record, or what is wrong with one.
  typealias Item = Result<Record, DatasetError>

  /// Returns the next record; nil at the end.
  ///
  /// Lines of nothing but white space are passed over.
  ///
  /// - Throws: ``DatasetError`` if no further record can be read.
  func next() throws(DatasetError) -> Item? {
    while let line = try lines.next() {
      var bytes = Array(line.content)
      if line.offset == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
      guard bytes.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
      return Item { () throws(DatasetError) in try record(bytes, line) }
    }
    return nil
  }

  private func record(_ bytes: [UInt8], _ line: LineReader.Line) throws(DatasetError) -> Record {
    let place = "\(location):\(line.number)"
    func broken(_ problem: String, _ remedy: String) -> DatasetError {
      DatasetError(.brokenRecord, problem, at: place, remedy: remedy)
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw TextSource.notUTF8(bytes, at: location, offset: line.offset, line: line.number)
    }
    let value: JSONField
    do {
      value = try JSONLine.parse(bytes)
    } catch {
      throw DatasetError(
        .brokenRecord,
        "\(error.message) (byte \(line.offset + error.position) of the text)",
        at: "\(place):\(error.position + 1)",
        remedy: "write one JSON object on each line, or skip broken ones"
      )
    }
    if line.number == 1, case .array = value {
      throw broken(
        "the file is one JSON array",
        "write one record on each line, for example with jq -c '.[]'"
      )
    }
    guard case .object(let members) = value else {
      throw broken("\(value.kind) instead of an object", "write one JSON object on each line")
    }
    if form == nil { form = .detect(value, textField: options.textField) }
    guard let form else {
      let keys = members.map { "“\($0.key)”" }.joined(separator: ", ")
      throw broken(
        "the record's fields \(keys) are none this program knows",
        "name the field that holds the text"
      )
    }
    do {
      let content = try form.content(of: value, textField: options.textField)
      return Record(content, location: place)
    } catch {
      throw broken(error.message, error.remedy)
    }
  }
}
