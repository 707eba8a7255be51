extension StoryLexicon {
  /// Sentences and clauses that many stories share; they use `h`, `f` and `g` if a story binds them.
  static let phrases: [String: String] = [
    "once": """
    - Once upon a time,
    - One [sunny|quiet|bright|warm] day,
    - Long ago,
    - There was a time when
    """,
    "meet": """
    - Once upon a time, there was <a trait#ht> {kind} named {h}. {He h} [lived|had a home] <dwelling>.
    - {h} was <a trait#ht> {kind} who lived <dwelling>.
    - <dwelling> lived <a trait#ht> {kind} named {h}.
    - There once was {a kind} called {h}. Everyone knew that {h} was very <trait#ht>.
    - In [the town|the little town|the village] of <town>, there lived <a trait#ht> {kind} whose name was {h}.
    - {h} was {a kind}. {He h} was <trait#ht> and [loved|liked] to <hobby>.
    - Once there was <a trait#ht> {kind}, and {his h} name was {h}. {h} loved to <hobby>.
    """,
    "dwelling": """
    - in a [small|little|cozy|tall|white|narrow] house near the <place>
    - at the edge of a [quiet|big|busy|green] town
    - in a [cottage|house] with <a color> door
    - by the [river|sea|lake|old mill|forest]
    - on top of a [windy|green|steep] hill
    - in a village between two [hills|rivers|mountains]
    """,
    "hobby": """
    - look at the stars
    - draw pictures of [ships|horses|houses|castles|birds]
    - sing [songs|silly songs] in the <room>
    - climb trees
    - collect [stones|leaves|shells|buttons|stamps|feathers]
    - read books about <book>
    - play <game>
    - build towers out of [blocks|stones|boxes|cups]
    - watch the [clouds|birds|trains|boats|ants]
    - listen to stories
    - ask questions
    - mend broken things
    - look for four-leaf clovers
    - write poems about the [moon|rain|wind|cat]
    - balance on walls
    - invent machines
    - talk to the neighbors' <pet>
    - wander through the <place>
    - fold animals out of paper
    - practice the <instrument>
    - make soup out of leaves and mud
    - guess what the clouds look like
    - learn words in other languages
    - wave at <vehicle> drivers
    - bake
    - paint
    - dance in the rain
    - jump over puddles
    - count things
    """,
    "time": """
    - One [morning|afternoon|evening|day],
    - One <weatherword*> [morning|afternoon|day],
    - On <a weatherword*> [morning|afternoon|day],
    - On <day>,
    - One day in <month>,
    - Early one morning,
    - [After breakfast|After lunch|After school],
    - One <day> [morning|afternoon],
    """,
    "weatherword.sunny": "sunny, bright, warm, clear, hot, golden",
    "weatherword.rainy": "rainy, wet, gray, cloudy, misty",
    "weatherword.windy": "windy, breezy, stormy, wild",
    "weatherword.snowy": "snowy, cold, frosty, icy, white",
    "weather.sunny": """
    - The sun was shining and the sky was [blue|clear|bright blue].
    - It was [warm|hot], and there was not a cloud in the sky.
    - A gentle breeze smelled of [hay|flowers|the sea|fresh bread].
    - [Butterflies|Dragonflies] fluttered over the <s flower>.
    - The shadows were short and the air shimmered.
    - The sun felt warm, and [bees hummed|birds sang|crickets chirped] in the grass.
    - Sunlight [danced|sparkled|shone] on everything.
    """,
    "weather.rainy": """
    - Rain was [tapping|drumming] on the [roof|window|windows|leaves].
    - The sky was gray, and there were puddles everywhere.
    - It had rained all [night|morning], and the grass was wet.
    - The gutters gurgled and the snails came out.
    - Everything was dripping, and the air smelled of wet earth.
    - Big drops of rain fell from the clouds.
    """,
    "weather.windy": """
    - The wind [blew hard|howled|whistled] and the trees [shook|swayed].
    - Leaves were [dancing|flying|spinning] through the air.
    - The wind pulled at [hats|coats|scarves] and slammed the doors.
    - Somewhere, a shutter banged again and again.
    - The wind tore the last leaves from the <tree>.
    - Clouds raced across the sky.
    """,
    "weather.snowy": """
    - Snow had fallen in the night, and the world was white and quiet.
    - [Soft|Thick|Big] flakes of snow were falling.
    - It was so cold that the [pond was frozen|windows were covered with frost].
    - Long icicles hung from the roofs and sparkled.
    - Smoke rose straight up from every chimney.
    - The snow [crunched|squeaked] under every step.
    """,
    "hum": """
    - {h} [hummed|sang|whistled] a little song.
    - {h} felt <happy>.
    - [It was a perfect day to be outside.|It was going to be a good day.|It was a day for adventures.]
    - {h} could hardly wait.
    """,
    "joy": """
    - {h} [jumped for joy|clapped {his h} hands|danced around|laughed out loud|smiled from ear to ear].
    - {h} was so <happy> that {he h} [danced around|jumped up and down|started to sing].
    - A big smile spread over {h}'s face.
    - {h} had never been so <happy>.
    - {h} threw {his h} hat into the air.
    - {h} turned three cartwheels in a row.
    - {h}'s heart leaped.
    """,
    "creature joy": """
    - {h} [jumped for joy|danced around|laughed out loud|wiggled with joy].
    - {h} was so <happy> that {he h} [danced around|jumped up and down|started to sing].
    - {h} had never been so <happy>.
    """,
    "sorrow": """
    - {h} [felt|was] very <sad>.
    - {h} wanted to cry.
    - Tears [filled|came to] {h}'s eyes.
    - {h} sat down and [sighed|put {his h} head in {his h} hands].
    """,
    "thanks": """
    - "Thank you so much!" said {h}.
    - "Thank you, {f}," said {h}. "[You are a true friend|I will never forget this|You are very kind]."
    - "Oh, thank you!" {h} [cried|said]. "[You are the best|That was so kind of you]."
    """,
    "welcome": """
    - "You are welcome," [said {f}|{f} said with a smile].
    - "[That is what friends are for|I am happy to help|It was nothing]," said {f}.
    - {f} [smiled|nodded|laughed]. "[Friends help each other|Any time|I know you would do the same for me]."
    """,
    "hug": """
    - {g} gave {h} a [big|long|warm] hug.
    - {g} hugged {h}.
    - {g} [took {h}'s hand|put an arm around {h}] and smiled.
    """,
    "end": """
    - From that day on, {h} and {f} were [best|good|the best of] friends.
    - That night, {h} fell asleep with a smile.
    - And they [laughed and played|talked and laughed] until [the sun went down|it was time for dinner|the stars came out].
    - {h} went home <happy> and tired.
    - It was a day that {h} would [never forget|always remember].
    - And that was [the best day of the whole week|the end of a very good day].
    """,
    "end alone": """
    - That night, {h} fell asleep with a smile.
    - It was a day that {h} would [never forget|always remember].
    - {h} could not wait to tell everyone about it.
    - And that was the best day of the whole [week|month|summer|year].
    - {h} went to bed <happy> and tired.
    """,
    "said": "said, answered, replied, called, explained",
    "home": """
    - At dinner, there was <meal>, and {h} told [the whole story|the story twice|{g} everything].
    - When {he h} came home, there was <drink> [on the table|waiting], and it [smelled|tasted] wonderful.
    - In the evening, {h} drew a picture of [it all|the day] and hung it on the wall.
    - Later, {h} told {g} about [it|everything], and {g} [listened|smiled] and [nodded|laughed].
    """,
  ]
}
