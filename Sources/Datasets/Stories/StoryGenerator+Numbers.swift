extension StoryGenerator {
  /// Writes about counting and reckoning.
  static func numbers(_ telling: inout StoryTelling) -> String {
    switch telling.random.index(below: 6) {
    case 0: counting(&telling)
    case 1: sums(&telling)
    case 2, 3: wordProblem(&telling)
    case 4: comparison(&telling)
    default: table(&telling)
    }
  }

  private static func number(_ telling: inout StoryTelling, _ range: ClosedRange<Int>) -> Int {
    range.lowerBound + telling.random.index(below: range.count)
  }

  private static func draw(_ telling: inout StoryTelling, _ template: String) -> String {
    telling.expand(StoryTemplate(template))
  }

  /// A number of things: “one apple”, “two apples”.
  private static func things(_ count: Int, _ noun: String) -> String {
    count == 1 ? "one \(noun)" : "\(StoryPlots.words(count)) \(English.plural(noun))"
  }

  private static func counting(_ telling: inout StoryTelling) -> String {
    let step = telling.pick([1, 1, 1, 2, 2, 3, 5, 10])
    let start = step == 1 ? number(&telling, 1...60) : step * number(&telling, 0...4)
    let numbers = (0..<number(&telling, 6...10)).map { start + $0 * step }
    let spelled = telling.chance(60)
    let list = numbers.map { spelled ? StoryPlots.words($0) : "\($0)" }
    let down = telling.chance(25)
    let line = (down ? list.reversed() : list).joined(separator: ", ")
    let manner = step == 1 ? "" : " in steps of \(StoryPlots.words(step))"
    let direction = down ? " backward" : ""
    let opening = draw(
      &telling,
      "[{h} likes to count|{h} can count|{h} and {f} were on the <vehicle> and counted|"
        + "To fall asleep, {h} counted|{g} asked {h} to count]"
    )
    return "\(opening)\(direction)\(manner): \(line)."
      + draw(&telling, "[ \"Well done!\" said {g}.|| Then {he h} stopped and smiled.]")
  }

  private static func sums(_ telling: inout StoryTelling) -> String {
    let spelled = telling.chance(50)
    func name(_ value: Int) -> String { spelled ? StoryPlots.words(value) : "\(value)" }
    let lines = (0..<number(&telling, 3...6)).map { _ in
      let (a, b) = (number(&telling, 0...12), number(&telling, 0...12))
      switch telling.random.index(below: 3) {
      case 0: return "\(name(a)) plus \(name(b)) is \(name(a + b))."
      case 1: return "\(name(a + b)) minus \(name(a)) is \(name(b))."
      default:
        let (c, d) = (a % 6, b % 10 + 1)
        return "\(name(c)) times \(name(d)) is \(name(c * d))."
      }
    }
    return draw(
      &telling,
      "[{h} was doing sums.|Sums for {h}:|\"How much is it?\" asked {s}. {h} knew it.|]\n"
    )
      + lines.joined(separator: "\n")
  }

  private static func wordProblem(_ telling: inout StoryTelling) -> String {
    let noun = draw(&telling, "[<fruit>|<treat>|<toy>|<flower>|<small thing>]")
    let few = number(&telling, 1...9)
    let more = number(&telling, 1...9)
    func sentence(_ template: String) -> String { draw(&telling, template) }
    func plural(_ count: Int) -> String { things(count, noun) }
    let isAre = more == 1 ? "is" : "are"
    switch telling.random.index(below: 4) {
    case 0:
      return sentence("{h} has ") + plural(few) + sentence(". {g} gives {him h} ")
        + "\(StoryPlots.words(more)) more."
        + sentence("\nQuestion: How many \(English.plural(noun)) does {h} have now?\nAnswer: ")
        + "\(StoryPlots.words(few)) plus \(StoryPlots.words(more)) is "
        + "\(StoryPlots.words(few + more)). " + sentence("{h} has ") + plural(few + more) + "."
    case 1:
      return sentence("{h} had ") + plural(few + more) + sentence(". {he h} gave ")
        + StoryPlots.words(few) + sentence(" of them to {f}.")
        + sentence("\nQuestion: How many does {h} have left?\nAnswer: ")
        + "\(StoryPlots.words(few + more)) minus \(StoryPlots.words(few)) is "
        + "\(StoryPlots.words(more)). " + sentence("{h} has ") + plural(more) + " left."
    case 2:
      return "There \(isAre) \(plural(more)) on the table" + sentence(" and ")
        + "\(StoryPlots.words(few)) in the basket."
        + "\nQuestion: How many are there in all?\nAnswer: "
        + "\(StoryPlots.words(more)) plus \(StoryPlots.words(few)) is "
        + "\(StoryPlots.words(more + few)). There are \(plural(more + few)) in all."
    default:
      let (children, each) = (number(&telling, 2...5), number(&telling, 1...6))
      return "\(StoryPlots.words(children)) children share \(plural(children * each)) fairly."
        + "\nQuestion: How many does each child get?\nAnswer: "
        + "\(StoryPlots.words(children * each)) divided by \(StoryPlots.words(children)) is "
        + "\(StoryPlots.words(each)). Each child gets \(plural(each))."
    }
  }

  private static func comparison(_ telling: inout StoryTelling) -> String {
    let noun = draw(&telling, "[<fruit>|<small thing>|<treat>]")
    let first = number(&telling, 2...19)
    let second = first + number(&telling, 1...6) * (telling.chance(50) ? 1 : -1)
    guard second > 0, second != first else { return counting(&telling) }
    let winner = first > second ? "{h}" : "{f}"
    return draw(&telling, "{h} has ") + things(first, noun) + draw(&telling, ", and {f} has ")
      + things(second, noun) + ".\nQuestion: Who has more?\nAnswer: "
      + draw(&telling, "\(winner) has more, because ")
      + "\(StoryPlots.words(max(first, second))) is more than "
      + "\(StoryPlots.words(min(first, second)))."
  }

  private static func table(_ telling: inout StoryTelling) -> String {
    let factor = number(&telling, 2...9)
    let first = number(&telling, 1...4)
    let lines = (first..<first + number(&telling, 4...6)).map {
      "\($0) times \(factor) is \($0 * factor)."
    }
    let opening = draw(
      &telling,
      "[{h} is learning to multiply.|\"Say it with me,\" said {s}.|{h} wrote in {his h} notebook:]"
    )
    return opening + "\n" + lines.joined(separator: "\n")
  }
}
