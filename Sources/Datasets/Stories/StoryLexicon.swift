/// The lists that templates draw from.
enum StoryLexicon {
  /// Each list by its name; an entry has one template for each of its fields.
  static let lists: [String: [[StoryTemplate]]] = {
    var lists: [String: [[StoryTemplate]]] = [:]
    for source in [words, phrases, things] {
      for (name, entries) in source {
        lists[name, default: []] += split(entries).map { $0.map(StoryTemplate.init) }
      }
    }
    return lists
  }()

  /// Entries are separated by commas in lists of words, and by lines in lists of sentences; fields
  /// of an entry by semicolons.
  private static func split(_ entries: String) -> [[String]] {
    let isLines = entries.contains("\n- ") || entries.hasPrefix("- ")
    let parts =
      isLines
      ? entries.split(separator: "\n").map { $0.drop { $0 == "-" || $0 == " " } }
      : entries.split { $0 == "," || $0 == "\n" }
    return parts.map { entry in
      entry.split(separator: ";").map { field in
        String(field.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    }
    .filter { !$0.isEmpty }
  }
}
