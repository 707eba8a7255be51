extension StoryPlots {
  /// Questions with their answers; those of one entry are asked in one breath.
  static let questions: [String] = [
    "<bind animal#a>Question: What does {a a} say?\nAnswer: {a a} says \"{a.2}\".",
    "<bind animal#a>Question: Where does {a a} live?\nAnswer: {a a} lives in a {a.3}.",
    "<bind animal#a>Question: What does {a a} eat?\nAnswer: {a a} eats {a.4}.",
    "<bind animal#a>Question: What is a young {a} called?\nAnswer: A young {a} is called {a a.5}.",
    "<bind animal#a>Question: Which animal {a.6}?\nAnswer: The {a} {a.6}.",
    "<bind opposite#o>Question: What is the opposite of \"{o}\"?\nAnswer: The opposite of \"{o}\" is \"{o.2}\".",
    "<bind opposite#o>Question: What is the opposite of \"{o.2}\"?\nAnswer: The opposite of \"{o.2}\" is \"{o}\".",
    "<bind tool#t>Question: What can you do with {a t}?\nAnswer: With {a t}, you can {t.2}.",
    "<bind tool#t>Question: What do you need to {t.2}?\nAnswer: To {t.2}, you need {a t}.",
    "<bind colored#c>Question: What color is {c}?\nAnswer: {c} is {c.2}.",
    "<bind kind#k>Question: Is {a k.2} {a k}?\nAnswer: Yes, {a k.2} is {a k}.",
    "<bind kind#k><bind kind#j>Question: Is {a k.3} {a j}?\nAnswer: No, {a k.3} is {a k}.",
    "<bind kind#k>Question: Name three {s k}.\nAnswer: Three {s k} are {k.2}, {k.3} and {k.5}.",
    "<bind kind#k><bind kind#j>Question: Which word does not belong: {k.2}, {k.4}, {j.3}, {k.5}?\nAnswer: The word \"{j.3}\" does not belong. The others are {s k}.",
    "<bind mass kind#k>Question: Name three {s k}.\nAnswer: Three {s k} are {k.2}, {k.3} and {k.4}.",
    "<bind mass kind#k>Question: Is {k.3} a {k}?\nAnswer: Yes, {k.3} is a {k}.",
    "<bind mass kind#k><bind kind#j>Question: Is {a j.3} a {k}?\nAnswer: No, {a j.3} is {a j}.",
    "<bind worker#w>Question: What does {a w} do?\nAnswer: {a w} {w.3}.",
    "<bind worker#w>Question: Where does {a w} work?\nAnswer: {a w} works in {a w.2}.",
    "<bind worker#w>Question: Who {w.3}?\nAnswer: {a w} {w.3}.",
    "<bind rhyme#r>Question: Which word rhymes with \"{r}\"?\nAnswer: The word \"{r.2}\" rhymes with \"{r}\".",
    "<bind season#s1>Question: What is {s1} like?\nAnswer: In {s1}, {s1.2}, and {s1.4}.",
    "<bind number of#n>Question: How many {n}?\nAnswer: {n.2}.",
    "<bind recipe#r>Question: What do you need for {r}?\nAnswer: For {r}, you need {r.2}, {r.3} and {r.4}.",
  ]

  /// Little scenes with a question about them, the answer of which stands in the scene.
  static let comprehension: [String] = [
    "{h} has <a toy#a>. {f} has <a toy#b>. {h} gives the {noun a} to {f}.\nQuestion: Who has the {noun a} now?\nAnswer: {f} has the {noun a}.",
    "{h} is in the <room#a>. {f} is in the <room#b>. {g} is in the <room#c>.\nQuestion: Where is {f}?\nAnswer: {f} is in the {b}.",
    "{h} went to the <outing#a> on <day#d>. {f} went to the <outing#b> on <day#e>.\nQuestion: Where did {h} go on {d}?\nAnswer: {h} went to the {a}.",
    "{h} likes <s fruit#a>, but {he h} does not like <s fruit#b>. {f} likes <s fruit#c>.\nQuestion: What does {h} not like?\nAnswer: {h} does not like {s b}.",
    "The <toy#a> is on the <furniture#x>. The <small thing#b> is under the <furniture#y>.\nQuestion: Where is the {noun b}?\nAnswer: The {noun b} is under the {y}.",
    "{h} wears <a clothing#a>. {f} wears <a clothing#b>.\nQuestion: What does {f} wear?\nAnswer: {f} wears {a b}.",
    "{h} is older than {f}. {f} is older than {h3}.\nQuestion: Who is the oldest?\nAnswer: {h} is the oldest.",
    "{h} is taller than {f}. {h3} is smaller than {f}.\nQuestion: Who is the smallest?\nAnswer: {h3} is the smallest.",
    "{h} forgot {his h} <clothing#a> at the <outing#o>. {g} found it and put it in the <room#r>.\nQuestion: Where is the {noun a} now?\nAnswer: The {noun a} is in the {r}.",
    "It was raining, so {h} stayed at home and played <game#x>. {f} had no umbrella and got wet.\nQuestion: Why did {f} get wet?\nAnswer: {f} got wet because {he f} had no umbrella.",
    "{h} ate <meal#a> for lunch and <meal#b> for dinner.\nQuestion: What did {h} eat for dinner?\nAnswer: {h} ate {b}.",
    "The <pet#a> belongs to {h}, and the <pet#b> belongs to {f}. The {a} is <color#c> and the {b} is <color#d>.\nQuestion: What color is {f}'s {b}?\nAnswer: {f}'s {b} is {d}.",
    "First {h} went to the <building#a>, then to the <place#b>, and at last to the <outing#c>.\nQuestion: Where did {h} go first?\nAnswer: First {h} went to the {a}.",
    "{s} is <a job#j>. {s2} is <a job#k2>.\nQuestion: Who is {a k2}?\nAnswer: {s2} is {a k2}.",
    "{h} wanted to <hobby>, but {he h} was too tired. So {he h} went to bed.\nQuestion: Why did {h} go to bed?\nAnswer: {h} went to bed because {he h} was too tired.",
  ]

  static let numberWords = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
  ]
  static let tens = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
  ]

  /// A number from 0 and below 1000 in words.
  static func words(_ number: Int) -> String {
    if number < 20 { return numberWords[number] }
    if number < 100 {
      return tens[number / 10] + (number % 10 == 0 ? "" : "-" + numberWords[number % 10])
    }
    let rest = number % 100 == 0 ? "" : " and " + words(number % 100)
    return numberWords[number / 100] + " hundred" + rest
  }
}
