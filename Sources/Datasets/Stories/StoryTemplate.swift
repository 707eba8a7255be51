/// A text with choices and gaps, in the little language that the stories are written in.
///
///     [red|blue]       one of several, each a template; nothing is a choice too
///     {h}              what is bound to `h`; {he h}, {a t}, {s t} … apply a function to it
///     <toy>            an entry of the list `toy`, drawn anew
///     <toy#t>          the same, bound to `t`: drawn the first time, repeated afterwards
///     <a toy#t>        a function of it
///     <weather*>       an entry of the list `weather.sunny`, if `sky` is bound to `sunny`
///
/// An entry of several fields, `bike;ride a bike`, binds `t`, `t.2` …
struct StoryTemplate: Sendable {
  indirect enum Part: Sendable {
    case text(String)
    case choice([[Part]])
    case slot(function: String, name: String)
    case draw(function: String, list: String, slot: String?)
  }

  /// The functions that go with lists, whose names may have several words as well.
  private static let functions: Set = ["a", "s", "bind", "in", "noun"]

  let parts: [Part]

  /// Parses a template.
  ///
  /// - Precondition: Brackets close. Templates are part of this program; tests read all of them.
  init(_ source: String) {
    var rest = Array(source)[...]
    parts = Self.parse(&rest, isNested: false)[0]
  }

  /// Parses alternatives up to the bracket that ends them.
  private static func parse(_ rest: inout ArraySlice<Character>, isNested: Bool) -> [[Part]] {
    var alternatives: [[Part]] = [[]]
    var text = ""
    func add(_ part: Part?) {
      if !text.isEmpty { alternatives[alternatives.count - 1].append(.text(text)) }
      text = ""
      if let part { alternatives[alternatives.count - 1].append(part) }
    }
    while let character = rest.popFirst() {
      switch character {
      case "[": add(.choice(parse(&rest, isNested: true)))
      case "|" where isNested:
        add(nil)
        alternatives.append([])
      case "]" where isNested:
        add(nil)
        return alternatives
      case "{":
        let words = take(until: "}", &rest).split(separator: " ", maxSplits: 1)
        add(
          .slot(function: words.count > 1 ? String(words[0]) : "", name: String(words.last ?? ""))
        )
      case "<":
        let text = take(until: ">", &rest)
        let words = text.split(separator: " ", maxSplits: 1)
        let hasFunction = words.count > 1 && functions.contains(String(words[0]))
        let names = (hasFunction ? words[1] : text[...]).split(separator: "#")
        add(
          .draw(
            function: hasFunction ? String(words[0]) : "",
            list: String(names.first ?? ""),
            slot: names.count > 1 ? String(names[1]) : nil
          )
        )
      default: text.append(character)
      }
    }
    add(nil)
    return alternatives
  }

  private static func take(until end: Character, _ rest: inout ArraySlice<Character>) -> String {
    var text = ""
    while let character = rest.popFirst(), character != end { text.append(character) }
    return text
  }
}

/// One story in the making: what is bound, and the text so far.
struct StoryTelling {
  /// How a character is spoken of.
  enum Gender: Int, Sendable {
    case she, he, it
  }

  var random: SplitMix
  private(set) var slots: [String: String] = [:]
  private var genders: [String: Gender] = [:]
  /// Words that were bound to any slot, so that two slots do not hold the same.
  private var taken: Set<String> = []

  init(random: SplitMix) { self.random = random }

  /// One of several.
  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[random.index(below: elements.count)]
  }

  mutating func chance(_ percent: Int) -> Bool { random.index(below: 100) < percent }

  mutating func bind(_ slot: String, _ value: String, _ gender: Gender = .it) {
    slots[slot] = value
    genders[slot] = gender
    taken.insert(value)
  }

  /// Writes a template out.
  mutating func expand(_ template: StoryTemplate) -> String {
    var text = ""
    expand(template.parts, into: &text)
    return text
  }

  private mutating func expand(_ parts: [StoryTemplate.Part], into text: inout String) {
    for part in parts {
      switch part {
      case .text(let literal): text += literal
      case .choice(let alternatives): expand(pick(alternatives), into: &text)
      case .slot(let function, let name): text += apply(function, name, slots[name] ?? "?\(name)?")
      case .draw(let function, let list, let slot):
        if let slot, let value = slots[slot] {
          text += apply(function, slot, value)
        } else {
          text += apply(function, slot ?? "", draw(list, slot))
        }
      }
    }
  }

  /// Draws an entry of a list that is not in use, and binds its fields.
  private mutating func draw(_ list: String, _ slot: String?) -> String {
    let name = list.hasSuffix("*") ? "\(list.dropLast()).\(slots["sky"] ?? "")" : list
    guard let entries = StoryLexicon.lists[name] else { return "?\(name)?" }
    var value = ""
    for _ in 0..<8 {
      let fields = pick(entries)
      value = expand(fields[0])
      if taken.contains(value) { continue }
      guard let slot else { break }
      bind(slot, value)
      for (index, field) in fields.enumerated().dropFirst() {
        slots["\(slot).\(index + 1)"] = expand(field)
      }
      return value
    }
    if let slot, slots[slot] == nil { bind(slot, value) }
    return value
  }

  private func apply(_ function: String, _ slot: String, _ value: String) -> String {
    let gender = genders[slot] ?? .it
    func form(_ forms: String...) -> String { forms[gender.rawValue] }
    switch function {
    case "": return value
    case "bind": return ""
    case "he": return form("she", "he", "it")
    case "He": return form("She", "He", "It")
    case "him": return form("her", "him", "it")
    case "his": return form("her", "his", "its")
    case "His": return form("Her", "His", "Its")
    case "himself": return form("herself", "himself", "itself")
    case "child": return form("girl", "boy", "child")
    case "a": return English.withArticle(value)
    case "up": return value.prefix(1).uppercased() + value.dropFirst()
    case "s": return English.plural(value)
    case "noun": return value.split(separator: " ").last.map(String.init) ?? value
    case "nouns": return English.plural(apply("noun", slot, value))
    case "in": return "\(English.preposition(value)) the \(value)"
    default: return "?\(function)?"
    }
  }
}

/// The few rules of English that templates need.
enum English {
  private static let spokenConsonants = ["uni", "use", "one", "uku", "eu"]
  private static let silentLetters = ["hour", "honest"]

  /// A noun with “a” or “an”.
  static func withArticle(_ noun: String) -> String {
    let vowel = noun.first.map { "aeiouAEIOU".contains($0) } ?? false
    let spoken = vowel && !spokenConsonants.contains { noun.hasPrefix($0) }
    let isVowel = spoken || silentLetters.contains { noun.hasPrefix($0) }
    return (isVowel ? "an " : "a ") + noun
  }

  private static let irregular = [
    "child": "children", "man": "men", "woman": "women", "mouse": "mice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "leaf": "leaves", "loaf": "loaves", "knife": "knives",
    "wolf": "wolves", "shelf": "shelves", "scarf": "scarves", "calf": "calves", "fish": "fish",
    "sheep": "sheep", "deer": "deer", "tomato": "tomatoes", "potato": "potatoes", "ox": "oxen",
    "elf": "elves", "half": "halves", "moose": "moose", "firefly": "fireflies", "bison": "bison",
    "starfish": "starfish", "mango": "mangoes", "snowman": "snowmen", "wife": "wives",
  ]

  /// A noun in the plural; of several words, the last.
  static func plural(_ noun: String) -> String {
    if noun == "day of the week" { return "days of the week" }
    var words = noun.split(separator: " ").map(String.init)
    guard let last = words.popLast() else { return noun }
    func ends(_ endings: String...) -> Bool { endings.contains { last.hasSuffix($0) } }
    let result: String
    if let known = irregular[last] {
      result = known
    } else if ends("s", "x", "ch", "sh", "z") {
      result = last + "es"
    } else if ends("y"), !ends("ay", "ey", "oy", "uy") {
      result = last.dropLast() + "ies"
    } else {
      result = last + "s"
    }
    return (words + [result]).joined(separator: " ")
  }

  private static let surfaces: Set = [
    "hill", "farm", "beach", "playground", "island", "bridge", "meadow path", "pier", "riverbank",
    "mountain",
  ]
  private static let points: Set = [
    "zoo", "lake", "seaside", "fair", "bus stop", "train station", "pond", "harbor", "bakery",
    "library", "museum", "market", "aquarium", "river", "airport", "crossroads",
  ]

  /// The preposition of a place.
  static func preposition(_ place: String) -> String {
    surfaces.contains(place) ? "on" : points.contains(place) ? "at" : "in"
  }

  /// Gives sentences their capital letters and takes out double spaces.
  ///
  /// A letter is capital at the start of a line, after a full stop, and where a quotation opens
  /// that is a sentence of its own.
  /// After a quotation that ends with another mark than a full stop it is left as written.
  static func finish(_ text: String) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    var (isStart, isQuoted) = (true, false)
    for byte in text.utf8 {
      let previous = result.last ?? UInt8(ascii: "\n")
      switch byte {
      case UInt8(ascii: " ") where previous == byte || previous == UInt8(ascii: "\n"): continue
      case UInt8(ascii: ".") where previous == UInt8(ascii: " "),
        UInt8(ascii: ",")
      where previous == UInt8(ascii: " "):
        result[result.count - 1] = byte
        isStart = byte == UInt8(ascii: ".")
        continue
      case UInt8(ascii: "\n"):
        if previous == UInt8(ascii: " ") { result.removeLast() }
        (isStart, isQuoted) = (true, false)
      case UInt8(ascii: "\""):
        isQuoted.toggle()
        // Words that are quoted inside a sentence, and second halves of speeches, stay small.
        let before = result.last { $0 != UInt8(ascii: " ") } ?? UInt8(ascii: "\n")
        isStart = isQuoted ? ".!?:\n\"".utf8.contains(before) : previous == UInt8(ascii: ".")
      case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?"): isStart = true
      case UInt8(ascii: "a")...UInt8(ascii: "z"):
        result.append(isStart ? byte - 32 : byte)
        isStart = false
        continue
      case UInt8(ascii: ":"): isStart = result.suffix(6).elementsEqual("Answer".utf8)
      case UInt8(ascii: " "): break
      default: isStart = false
      }
      result.append(byte)
    }
    while result.last == UInt8(ascii: " ") || result.last == UInt8(ascii: "\n") {
      result.removeLast()
    }
    return String(decoding: result, as: UTF8.self)
  }
}
