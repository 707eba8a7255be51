/// Writes short texts in simple English, of which hardly any two are the same.
///
/// Most are stories in the manner of children's books; the others are dialogues, descriptions,
/// letters, instructions, lists, riddles, news, questions with answers, and little sums. Names,
/// things and places that a text mentions come back in it, so that a model can learn to look for
/// them. The texts are made from templates and lists of this project; nothing is from elsewhere.
///
/// ```swift
/// let text = StoryGenerator(seed: 7).story(12)
/// ```
public struct StoryGenerator: Sendable, Hashable {
  /// Changes whenever a text does.
  static let version = 1

  /// Decides all texts.
  public let seed: UInt64

  /// Creates the generator that belongs to a seed.
  public init(seed: UInt64) { self.seed = seed }

  /// Returns a text of some hundred to two thousand characters, without a line end after it.
  ///
  /// - Parameter index: Which text.
  /// - Returns: The text, which depends on the seed and the index alone.
  /// - Complexity: O(1).
  public func story(_ index: Int) -> String {
    var telling = StoryTelling(
      random: SplitMix(seed, UInt64(bitPattern: Int64(index)), 0x73_746F_7269_6573)
    )
    return English.finish(Self.write(&telling))
  }

  private static func write(_ telling: inout StoryTelling) -> String {
    let kind = telling.random.index(below: 100)
    if kind < 46 { return tell(plots.children, &telling, isCreature: false) }
    if kind < 68 { return tell(plots.creatures, &telling, isCreature: true) }
    if kind < 86 { return tell(plots.short, &telling, isCreature: false) }
    bindPeople(&telling)
    if kind < 90 { return several(plots.questions, 2...5, &telling) }
    if kind < 95 { return several(plots.comprehension, 1...1, &telling) }
    return numbers(&telling)
  }

  // MARK: Stories

  private struct Plot: Sendable {
    var skies: [String]
    var beats: [StoryTemplate]

    init(_ lines: [String]) {
      let hint = lines.first { $0.hasPrefix("sky: ") }
      skies = hint?.split(separator: " ").dropFirst().map(String.init) ?? []
      beats = lines.filter { $0 != hint }.map(StoryTemplate.init)
    }
  }

  private static let plots = (
    children: (StoryPlots.children + StoryPlots.adventures).map(Plot.init),
    creatures: StoryPlots.creatures.map(Plot.init),
    short: StoryPlots.short.map(Plot.init),
    questions: StoryPlots.questions.map(StoryTemplate.init),
    comprehension: StoryPlots.comprehension.map(StoryTemplate.init)
  )

  private static let commonSkies = ["sunny", "sunny", "sunny", "windy", "rainy"]

  private static func tell(
    _ plots: [Plot],
    _ telling: inout StoryTelling,
    isCreature: Bool
  ) -> String {
    let plot = telling.pick(plots)
    telling.bind("sky", telling.pick(plot.skies.isEmpty ? commonSkies : plot.skies))
    if isCreature { bindCreatures(&telling) } else { bindPeople(&telling) }
    return plot.beats.map { telling.expand($0) }.joined(separator: " ")
  }

  private static func several(
    _ templates: [StoryTemplate],
    _ counts: ClosedRange<Int>,
    _ telling: inout StoryTelling
  ) -> String {
    let count = counts.lowerBound + telling.random.index(below: counts.count)
    return (0..<count).map { _ in
      // Each question binds its own words.
      var own = StoryTelling(random: SplitMix(telling.random.next()))
      bindPeople(&own)
      return own.expand(telling.pick(templates))
    }
    .joined(separator: "\n")
  }

  // MARK: Characters

  private static let girls = names(StoryLexicon.girls)
  private static let boys = names(StoryLexicon.boys)
  private static let creatures = names(StoryLexicon.creatures)
  private static let talkers = names(StoryLexicon.talkers)
  private static let grownUps = names(StoryLexicon.grownUps).map(person)
  private static let strangers = names(StoryLexicon.strangers).map(person)
  private static let elders = names(
    "the_old_owl/he the_old_tortoise/she the_wise_raven/she the_old_heron/he the_old_toad/he"
  ).map(person)

  private static func names(_ list: String) -> [String] {
    list.split { $0 == " " || $0 == "\n" }.map(String.init)
  }

  /// Reads `Aunt_Rose/she`.
  private static func person(_ entry: String) -> (name: String, gender: StoryTelling.Gender) {
    let parts = entry.split(separator: "/")
    let name = parts[0].split(separator: "_").joined(separator: " ")
    return (name, parts.last == "he" ? .he : .she)
  }

  private static func bindPeople(_ telling: inout StoryTelling) {
    var used: Set<String> = []
    for slot in ["h", "f", "h3"] {
      let isGirl = telling.chance(50)
      var name = telling.pick(isGirl ? girls : boys)
      while used.contains(name) { name = telling.pick(isGirl ? girls : boys) }
      used.insert(name)
      telling.bind(slot, name, isGirl ? .she : .he)
      if slot == "h" { telling.bind("kind", isGirl ? "little girl" : "little boy") }
    }
    let grownUp = telling.pick(grownUps)
    telling.bind("g", grownUp.name, grownUp.gender)
    let stranger = telling.random.index(below: strangers.count)
    telling.bind("s", strangers[stranger].name, strangers[stranger].gender)
    let other = strangers[(stranger + 7) % strangers.count]
    telling.bind("s2", other.name, other.gender)
    telling.bind("pn", telling.pick(creatures))
    telling.bind("pn2", telling.pick(creatures), telling.chance(50) ? .she : .he)
    let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    let day = telling.random.index(below: days.count)
    for offset in 0..<3 { telling.bind("d\(offset + 1)", days[(day + offset) % days.count]) }
  }

  private static func bindCreatures(_ telling: inout StoryTelling) {
    let first = telling.random.index(below: creatures.count)
    let second = (first + 1 + telling.random.index(below: creatures.count - 1)) % creatures.count
    telling.bind("h", creatures[first], telling.chance(50) ? .she : .he)
    telling.bind("f", creatures[second], telling.chance(50) ? .she : .he)
    let kind = telling.random.index(below: talkers.count)
    let friend = (kind + 1 + telling.random.index(below: talkers.count - 1)) % talkers.count
    let adjective = telling.pick(["little ", "young ", "", "", "small "])
    telling.bind("kind", adjective + talkers[kind])
    telling.bind("species", talkers[kind])
    telling.bind("friend", talkers[friend])
    let elder = telling.pick(elders)
    telling.bind("g", elder.name, elder.gender)
  }
}
