/// What the built-in stories are made of.
enum StoryPlots {
  /// Short texts of many kinds; `h`, `f`, `g` and `s` are bound as in stories about children.
  static let short: [[String]] = [
    // Dialogues.
    [
      "\"[Good morning|Hello], {s}. What do you do for a living?\" asked {h}. <bind worker#w>\"I am <a worker#w>,\" said {s}. \"I work [in|at] the {w.2}.\"",
      "\n\"What does <a worker#w> do all day?\" \"{a w} {w.3}. Look, this is {w.4}. I need it every day.\"",
      "\n\"[Is it hard|Do you like it]?\" asked {h}. \"[Sometimes, but I love it|Very much, even on <day>s|Yes, because I can help people],\" said {s}. \"What do you want to be one day?\"",
      "\n{h} thought for a moment. \"[I want to be <a worker#w> too|I want to be <a worker#x>|I do not know yet. Maybe <a worker#x>, or maybe <a worker#y>],\" {he h} said. \"[Then learn well and be curious|You have a lot of time to find out],\" said {s}.",
    ],
    [
      "\"Have you seen my <clothing#c>?\" asked {h}. \"Is it not in the <room#r>?\" said {g}.",
      "\n\"No, I looked there. I looked [under|behind] the <furniture#x>, too.\" \"When did you wear it last?\" \"On <day#d>, when we were at the <outing#o>.\"",
      "\n\"It was [warm|hot] on {d}. Maybe you took it off.\" {h} [nodded slowly|thought hard]. \"Yes! I put it [in the bag|on the bench|over the chair].\"",
      "\n[They looked in the bag|They went back to look], and there it was. \"[Next time, look with your head first and with your hands second|A good question finds more than two eyes],\" said {g}, and {h} put on the {c}.",
    ],
    [
      "\"Hello, this is {h}. Is {f} there?\" \"Yes, this is {f}. [How are you|What are you doing]?\"",
      "\n\"I am [bored|at home]. [It is raining here|{g} is asleep|My <pet> is asleep]. Do you want to come over?\" \"[I must ask first|Wait a moment]. Yes, I may come! What shall we do?\"",
      "\n\"We could play <game#ga> or [build <a project#j>|bake <a treat#t>].\" \"Let us play {ga} first. Shall I bring my <toy#toy>?\" \"Yes, [please|bring it]! And {g} says that you can stay for dinner. There is <meal#m>.\"",
      "\n\"I love {m}! I will be there in <few> minutes.\" \"[See you soon|Goodbye], {f}!\" \"[See you soon|Bye], {h}!\"",
    ],
    [
      "\"[Good morning|Good afternoon]. What would you like?\" asked {s}. \"[Two|Three|Four] <s fruit#x>, please, and <a vegetable#v>,\" said {h}.",
      "\n\"Here you are. Anything else?\" \"Do you have <s fruit#y>?\" \"[Not today. They will come on <day>|Yes, they are very sweet this week].\"",
      "\n\"[Then I will come back. Goodbye, {s}.|How much is that?]\" \"[Thank you for coming|That is <few> coins, please].\" {h} [put everything in the basket|paid and said goodbye] and walked home. On the way, {he h} ate one of the <s fruit#x>.",
    ],
    [
      "\"Tell me a story, {g},\" said {h}. \"What should it be about?\" asked {g}. \"About <a talker#x> who is afraid of <a insect#i>.\"",
      "\n\"Once there was <a talker#x>,\" said {g}. \"It was big and strong. But whenever it saw <a insect#i>, it [ran away|hid behind a tree]. One day the {i} landed right on its nose.\"",
      "\n\"What did the {x} do?\" \"It closed its eyes and waited. And the {i} said, very quietly, that it was afraid too, because the {x} was so big.\"",
      "\n{h} laughed. \"So they were both afraid?\" \"Yes,\" said {g}. \"And when they knew that, [neither of them was afraid any more|they became friends].\" \"One more,\" said {h}. \"Tomorrow,\" said {g} and [turned off the light|kissed {him h} good night].",
    ],
    [
      "\"Why do you [always wear|wear] that <clothing#c>?\" asked {f}. \"Because {g} made it for me,\" said {h}. \"It [keeps me warm|reminds me of the <place>|is my lucky {noun c}].\"",
      "\n\"But it has a hole.\" \"I know. I got the hole when I [climbed over a fence|fell off <a vehicle>|played <game> with the <pet>]. It is a good hole. Every hole has a story.\"",
      "\n{f} looked at {his f} own clothes. They had no holes at all. \"[Do you think that I could get one?|But I have no stories.]\" {f} looked sad. \"[Come with me to the <place>|Not yet],\" said {h}, and off they ran.",
    ],
    // Descriptions.
    [
      "{h} lives in <town#t>. It is a [small|quiet|pretty|busy] town [near the sea|between two hills|by a wide river]. There is a <building#b1> with <a color> roof, a <building#b2>, and a [square|market] with <a tree#tr> in the middle.",
      "In the morning, the <job#j> [opens the shop|says hello to everyone], and the smell of [bread|coffee|flowers] fills the street. In the evening, [people sit on benches and talk|the lamps go on one by one|music comes from the open windows].",
      "{h} likes {t} best in [May, when the <s flower#fl> are in bloom|October, when the leaves change color|December, when the first snow falls|July, when everyone is outside|April, when the storks come back]. \"[I never want to live anywhere else|There is no better place in the world],\" {he h} says.",
    ],
    [
      "This is my friend {f}. {He f} has [long|short|curly] [brown|black|red|blond] hair and [green|brown|blue|gray] eyes. {He f} often wears <a clothing#c>.",
      "{f} is <trait#t1> and very <trait#t2>. {He f} likes to <hobby>, and {his f} favorite food is <meal#m>. {He f} does not like <s vegetable#v>.",
      "We met at the <outing#o>. {f} had lost {his f} {c}, and I helped {him f} to find it. Since then, we [play <game> every <day>|sit next to each other at school|see each other almost every day].",
    ],
    [
      "My room is [small|big] and [bright|cozy]. There is <a furniture#a> next to the window and <a furniture#b> behind the door. The walls are <color#c>.",
      "On the {a} lies <a toy#t>, which {g} gave me when I was <few>. Under the {b} lives my <pet#p>, {pn2}. [{He pn2} likes to sleep there|Nobody else is allowed to go there].",
      "When I look out of the window, I can see the <place#pl>. [In the morning, the sun shines on my bed.|At night, I hear the wind in the trees.|When it rains, I count the drops on the glass.] I like my room best when [it is quiet|{f} comes to visit|there is <drink> on the table].",
    ],
    [
      "<bind animal#a>The {a} lives in a {a.3}. It says \"{a.2}\" and eats {a.4}. A young {a} is called {a a.5}.",
      "Everyone knows that the {a} {a.6}. [{h} saw one on a farm last <month>.|{h} once drew a picture of one and gave it to {g}.|The children of <town> like it very much.]",
    ],
    [
      "<bind season#s1>[Every season is different.|{h} knows the four seasons well.] In {s1}, {s1.2}, {s1.3}, and {s1.4}.",
      "{h} likes {s1} because {he h} can [play outside|stay inside and read|<hobby>]. {f} likes another season better. They talk about it often, but they [never agree|always laugh about it].",
    ],
    // Letters.
    [
      "Dear {g},",
      "\nThank you for the <toy#t>! It came on <day#d>, and I [opened it at once|could not wait to open it]. It is [exactly what I wanted|the best present of all|even nicer than I thought].",
      "[I took it to the <place> and showed it to {f}.|{f} wants to play with it too.] We [played all day|played with it until it got dark]. [Yesterday|On <day>] it [rained|was very hot], so we [stayed inside|went swimming] and ate <s treat#tr>.",
      "[When will you come to visit us|How are you|How is your <pet>]? I [miss you|hope to see you soon].",
      "\n[Love|With love|Many hugs],\n{h}",
    ],
    [
      "Dear {f},",
      "\nwe are at the [seaside|lake] near <town#t>. The weather is [fine|wonderful|not so good]. Yesterday I saw <a sea animal#a>! It was [very big|very small|quite close], and {g} [was more afraid than I was|took a picture of it].",
      "Every day we eat [ice cream|fish|<s fruit>]. I have found <few#n> shells and <a small thing#st>. I will bring the {noun st} home for you.",
      "We come back on <day#d>. Please give my <pet#p> some food until then.",
      "\n[See you soon|Best wishes|Your friend],\n{h}",
    ],
    [
      "Dear diary,",
      "\ntoday was [a strange|a wonderful|a long|an interesting] day. In the morning, I [missed the bus|could not find my <clothing>|had <meal> for breakfast]. At school, we learned about <book#b>. {s} said that my [picture|answer] was [very good|quite funny].",
      "After school, {f} and I went to the <place#p>. We saw <a small animal#a> there, and it [was not afraid of us at all|looked right at us]. {f} wanted to take it home, but I said that it is [happier|at home] there.",
      "Now I am tired. Tomorrow [is <day>|we have no school|{g} will visit us], and I am looking forward to it.",
      "\nGood night,\n{h}",
    ],
    [
      "To everyone in <town#t>:\n",
      "My <pet#p> has run away! It is [small|big] and <color#c> and wears <a color#c3> [collar|ribbon]. Its name is {pn2}. I last saw it on <day#d> near the <building#b>.",
      "[It likes <s treat#tr>.|It is afraid of loud noises.|It comes when you whistle.] If you see it, please [tell me|call me|bring it to the <job>]. You will get [<few> coins|a big <treat>] as a reward.",
      "\nThank you!\n{h}",
    ],
    // Instructions.
    [
      "How to make <recipe#r>\n",
      "You need {r.2}, {r.3} and {r.4}.\n\nFirst, [wash your hands|put everything on the table].\nSecond, mix the {r.2} with the {r.3}.\nThird, add the {r.4} and [stir well|stir again].\nThen [ask a grown-up to help you with the rest|wait a little]. When {g} made it, {he g} {r.5}.\nAt last, [share it with {f}|put it on a plate and enjoy it|call {f} and {h3} to the table]! [It goes well with <drink>.|It tastes best on <a weatherword*> day.|{h} likes it with <store>.]",
    ],
    [
      "How to plant <a flower#f1>\n",
      "1. Find a [sunny|quiet] place [in the garden|on the windowsill].\n2. Dig a small hole in the [soft|dark] earth.\n3. Put the seed in the hole and cover it.\n4. Give it [a little|some] water every [day|morning].\n5. Wait. It may take <few> weeks.\n6. When the {f1} is in bloom, [show it to someone you like|smell it, but do not pick it].",
    ],
    [
      "How to get from the <building#b1> to the <building#b2>\n",
      "Start at the {b1} and walk straight ahead until you see <a tree#tr>. Turn [left|right] at the {tr}. Go over the [bridge|railway] and past the <place#p>. After <few> [steps|minutes], you will see <a color#c> door on your [left|right]. That is the {b2}. If you come to the <place#p2>, you have gone too far.",
    ],
    [
      "How to <skill#k>\n",
      "When {h} tried it for the first time, {k.2}. So here is what {he h} learned. First, do not be afraid. Then try to {k.3}. Try it again and again, a little every day. Ask somebody who can do it already. {h} needed <few> weeks, and then {he h} {k.4}.",
    ],
    [
      "How to make friends with <a pet#p>\n",
      "Sit down [quietly|on the floor] and wait. Do not run, and do not shout. Hold out your hand and let the {p} [sniff|look at] it. Give it [something to eat|some water]. [Come back the next day.|Do it every day.] After a while, the {p} will come to you by itself. That is how {h} became friends with {pn2}.",
    ],
    // Lists.
    [
      "[Shopping list|What {h} has to buy]:\n\n- <few> <s fruit#a>\n- <few> <s fruit#b>\n- <a vegetable#c>\n- [bread|milk|butter|cheese]\n- [flour|honey|tea|salt]\n- <few> <s treat#d> for {f}\n",
      "\n{h} bought everything except the [<s fruit#a>|<s fruit#b>], because [there were none left|they were too expensive|{he h} forgot them].",
    ],
    [
      "{h} is packing for a trip to the <outing#o>. In the bag are:\n\n- <a clothing#c1>\n- <a clothing#c2>\n- <a toy#t>\n- a book about <book#b>\n- <a small thing#st>\n- <few> <s fruit#fr>\n",
      "\n\"[You will not need the {noun st}|Is that not too much]?\" said {g}. \"[You never know|I need everything],\" said {h} and closed the bag.",
    ],
    [
      "What {h} did on <day#d>:\n\n7 o'clock: got up and ate <meal#m>\n8 o'clock: went to school by <vehicle#v>\n12 o'clock: had lunch with {f}\n3 o'clock: played <game#ga> at the <place#p>\n5 o'clock: helped {g} in the <room#r>\n7 o'clock: had <meal#m2> for dinner\n8 o'clock: read a book about <book#b> and went to bed\n",
      "\n[The best part was the game of {ga}.|{h} liked lunch with {f} the most.]",
    ],
    // Riddles and rhymes.
    [
      "<bind animal#a>[A riddle from {h}:|{h} asked {f} a riddle.] \"I live in a {a.3} and I eat {a.4}. I say {a.2}. [My child is called {a a.5}.|] What am I?\"",
      "\n\"[That is easy|I know it|Let me think],\" said {f}. \"You are {a a}!\" \"[Right|That is correct|Yes]!\" said {h}. \"[Now it is your turn.|You are good at riddles.]\"",
    ],
    [
      "<bind tool#a>[\"Guess what I have in my bag,\" said {h}.|{g} had a riddle for {h}.] \"You can use it to {a.2}. What is it?\"",
      "\n\"Is it <a tool#b>?\" \"No, with <a tool#b> you {b.2}.\" \"Then it must be [the|your] {a}.\" \"[Yes, it is|You guessed it]!\"",
    ],
    [
      "<bind rhyme#r>[The {r} and the {r.2}|A rhyme about a {r}]\n",
      "<bind rhyme#q>[Once|Today] I saw a [little|funny|tiny] {r},\nand next to it, I saw a {r.2}.\n[Then|Soon] along came a [great big|very <color>] {q},\nand it was looking for a {q.2}.\n\"[Hello|Good day],\" I said, \"you lovely {r},\n[I like|Please show me] your very shiny {r.3}.\"\n\"[Good night|Goodbye],\" I said, \"you clever {q},\n[go home now with|do not forget] your splendid {q.3}.\"",
    ],
    [
      "{h} and {f} were looking for words that rhyme. <bind rhyme#r>\"{r},\" said {h}. \"{r.2},\" said {f}. \"{r.3},\" said {h}. <bind rhyme#q>\"Now a new one: {q},\" said {f}. \"{q.2},\" said {h} at once. \"{q.3},\" said {f}, and they both laughed."
    ],
    [
      "News from <town#t>: [Last|This] <day#d>, <a zoo animal#a> [ran away from|left] the zoo. {s}, the <job#j>, saw it [in the middle of the square|in front of the <building>|at the <place>]. \"I could not believe my eyes,\" said {s}. \"It was eating <s vegetable#v>.\"",
      "The animal was [tired and friendly|not dangerous]. A {child h} named {h} gave it <a fruit#fr>, and it followed {him h} all the way back. \"[I only talked to it|It just wanted to see the town],\" said {h}. The zoo gave {h} [a free ticket|<a toy>] as a thank-you.",
    ],
    [
      "The weather in <town#t>: On {d1}, <weather*> On {d2}, it will be [a little warmer|a little colder|much the same]. {d3} will be [cloudy|windy|mostly dry]. [Take an umbrella with you|Do not forget your <clothing>|You will not need <a clothing>] if you go to the <place#p>. And at the end of the week, [the sun will come out|there may be some rain|it may even snow in the mountains]."
    ],
  ]
}
