extension StoryLexicon {
  static let girls = """
    Ada Alice Amelia Amina Amy Anna Annie Ava Bella Beth Bonnie Carla Cara Celia Chloe Clara Daisy \
    Dana Delia Dora Edith Elena Eliza Ella Elsa Emily Emma Erin Esther Eva Fiona Flora Freya Gemma \
    Grace Greta Hana Hannah Harriet Hazel Heidi Helen Ida Ines Ingrid Iris Isabel Ivy Jane Jasmine \
    Jenny Jill Josie Joy Julia June Kate Katya Kira Lara Laura Layla Leah Leila Lena Lila Lily Lina \
    Lisa Lola Lottie Lucy Luna Mabel Maja Maria Marta Maya Mia Mila Mina Molly Nadia Nancy Nell \
    Nina Nora Olga Olive Olivia Paula Pearl Penny Petra Pia Polly Rachel Rita Rosa Rose Ruby Ruth \
    Sally Sara Selma Sofia Sophie Stella Susan Tara Tess Tilda Tina Uma Vera Violet Wanda Willa \
    Yara Yasmin Zara Zoe
    """
  static let boys = """
    Aaron Adam Albert Alex Ali Amir Andy Anton Arthur Axel Ben Billy Bobby Boris Bruno Caleb Carl \
    Charlie Colin Cosmo Dan David Dean Dev Diego Dylan Eddie Eli Elliot Emil Eric Ethan Evan Felix \
    Finn Frank Fred Gabe George Gus Hal Hans Harry Hassan Henry Hugo Ian Idris Igor Isaac Ivan Jack \
    Jacob Jamal James Jan Jasper Jim Joel Jonas Joe Josh Juan Kai Karim Kevin Kofi Lars Leo Levi \
    Liam Louis Lucas Luis Luke Malik Marco Mark Martin Mateo Matt Max Milo Miles Nate Ned Nico Noah \
    Nils Oleg Oliver Omar Oscar Otto Owen Pablo Patrick Paul Pedro Peter Philip Quinn Rafi Ralph \
    Ravi Remy Rob Robin Roy Sam Samir Sean Simon Stan Sven Taj Ted Theo Thomas Tim Toby Tom Tony \
    Victor Vik Walter Will Yusuf Zack
    """
  /// Names of animals that talk.
  static let creatures = """
    Acorn Amber Biscuit Bramble Bubbles Button Cinnamon Clover Coco Cookie Dash Dot Fern Fidget \
    Flip Flicker Fudge Ginger Hoppy Juniper Marble Maple Misty Mocha Muffin Nibbles Nutmeg Oats \
    Olive Patch Peanut Pebble Pepper Pickle Pip Plum Poppy Pudding Puddle Quill Rusty Scamper \
    Shadow Skip Snowball Speckle Sprout Squeak Sunny Tansy Thistle Tumble Twig Waffles Whisker Willow
    """
  static let grownUps = """
    Mom/she Dad/he Grandma/she Grandpa/he Mom/she Dad/he Grandma/she Grandpa/he Aunt_Rose/she \
    Aunt_Lucy/she Aunt_May/she Uncle_Ben/he Uncle_Sam/he Uncle_Theo/he
    """
  static let strangers = """
    Mrs._Bell/she Mr._Carter/he Mrs._Green/she Mr._Hill/he Miss_Woods/she Mr._Fox/he Mrs._Lane/she \
    Mr._Brook/he Miss_Apple/she Mr._Stone/he Mrs._Field/she Mr._Pond/he Mrs._Baker/she Mr._North/he \
    Mrs._Winter/she Mr._March/he Mrs._Lopez/she Mr._Singh/he Mrs._Kim/she Mr._Okoro/he
    """
  /// Animals that talk in stories.
  static let talkers = """
    rabbit fox bear mouse squirrel hedgehog badger otter beaver duck frog turtle mole owl deer goat \
    lamb pony kitten puppy hen goose sparrow robin raccoon panda koala monkey elephant lion tiger \
    penguin seal snail beetle ladybug cricket bee chipmunk hamster lizard camel giraffe kangaroo
    """

  static let words: [String: String] = [
    "color": """
    red, blue, green, yellow, orange, purple, pink, brown, white, black, golden, silver
    """,
    "size": "small, big, tiny, little, huge, large",
    "trait": """
    adventurous, calm, cautious, graceful, grumpy, humble, inventive, jolly, loyal, modest, nimble,
    noisy, peaceful, restless, sensible, silent, sincere, spirited, tidy, witty, wise,
    kind, curious, brave, shy, cheerful, clever, quiet, busy, gentle, funny, careful, proud,
    stubborn, friendly, playful, patient, lively, thoughtful, helpful, dreamy, bold, honest,
    polite, merry, generous, eager, sleepy, lazy, messy, serious
    """,
    "happy": """
    happy, glad, proud, cheerful, pleased, delighted, excited, joyful, merry, relieved
    """,
    "sad": "sad, upset, worried, unhappy, disappointed, gloomy",
    "scared": "scared, afraid, nervous, frightened",
    "toy": """
    <color> ball, <color> kite, toy train, wooden horse, teddy bear, rag doll, paper boat, toy boat,
    <color> balloon, spinning top, jump rope, puzzle, toy truck, <color> yo-yo, toy robot, drum,
    tin drum, wooden duck, rubber duck, toy ship, toy castle, kaleidoscope, tambourine, xylophone,
    paper lantern, wooden sword, knitted bunny, toy crane, snow globe, toy piano,
    stuffed elephant, stuffed lion, wind-up mouse, puppet, <color> marble, wooden whistle,
    toy airplane, <color> scooter, toy tractor, music box, toy dinosaur, hula hoop, pinwheel
    """,
    "small thing": """
    <color> ring, silver spoon, <color> button, gold coin, <color> feather, old key, <color> stone,
    <color> shell, little bell, <color> ribbon, tiny mirror, brass compass, pearl, <color> bead,
    locket, bracelet, rusty horseshoe, chess piece, seashell, wax seal, silver whistle, copper cup,
    opal, fossil, leather purse, wooden spoon, golden thread, tiny book, tin star,
    glass bottle, pocket watch, <color> glove, tin soldier, magnifying glass, <color> crayon,
    lantern, wooden flute, notebook, <color> pencil, thimble, medal, postcard, candle
    """,
    "clothing": """
    <color> hat, <color> scarf, <color> coat, <color> sweater, <color> raincoat, woolly hat,
    <color> jacket, <color> cap, <color> vest, <color> shirt, straw hat, <color> cardigan
    """,
    "fruit": """
    apple, pear, plum, peach, banana, orange, cherry, strawberry, melon, apricot, grape, lemon,
    mango, blueberry, raspberry, kiwi, fig, coconut, pineapple
    """,
    "vegetable": """
    carrot, potato, tomato, onion, pumpkin, cucumber, pea, bean, turnip, cabbage, radish, pepper,
    beet, leek
    """,
    "treat": """
    cookie, cupcake, muffin, pancake, apple pie, honey cake, chocolate cake, carrot cake, waffle,
    lemon tart, cinnamon roll, jam sandwich, ginger biscuit, cherry pie, popcorn ball, doughnut
    """,
    "meal": """
    lentil soup, mushroom soup, baked beans, cheese dumplings, fried rice, roast chicken,
    potato salad, macaroni, pea stew, buttered corn, grilled fish, scrambled eggs, oatmeal,
    vegetable soup, tomato soup, noodles, rice and beans, spaghetti, pea soup, fish pie, pizza,
    mashed potatoes, an omelet, toast with cheese, chicken soup, porridge, stew
    """,
    "drink": """
    hot chocolate, warm milk, lemonade, apple juice, mint tea, orange juice, cold water, ginger tea
    """,
    "flower": """
    rose, tulip, daisy, sunflower, lily, violet, poppy, daffodil, marigold, bluebell, buttercup,
    snowdrop, dandelion, iris, primrose
    """,
    "tree": """
    oak tree, apple tree, pine tree, willow tree, maple tree, cherry tree, birch tree, chestnut tree,
    pear tree, elm tree, fir tree, walnut tree
    """,
    "pet": """
    cat, dog, puppy, kitten, hamster, parrot, rabbit, goldfish, turtle, canary, guinea pig, pony
    """,
    "small animal": """
    bird, mouse, squirrel, rabbit, hedgehog, duckling, frog, kitten, puppy, turtle, baby owl, fawn,
    sparrow, lamb, robin, chick, mole
    """,
    "talker": """
    fox, badger, hedgehog, raccoon, beaver, otter, heron, crow, toad, weasel, goose, snail, magpie,
    tortoise, marten, stork, woodpecker
    """,
    "load": "basket, parcel, box, round box, big bag",
    "thrown": "stick, shoe, cap, stone, glove",
    "sweet": "apples, pears, plums, cherries, berries, figs, grapes",
    "store": "nuts, honey, mushrooms, seeds, acorns, chestnuts",
    "climber": "squirrel, chipmunk, red squirrel, dormouse, gray squirrel",
    "zoo animal": """
    elephant, lion, tiger, giraffe, zebra, monkey, penguin, bear, camel, hippo, flamingo, crocodile,
    kangaroo, panda, gorilla, ostrich, seal, rhino, leopard, peacock, otter, parrot, wolf, snake
    """,
    "sea animal": """
    crab, starfish, dolphin, whale, octopus, jellyfish, seahorse, seal, sea turtle, seagull, shrimp,
    lobster, shark, pelican
    """,
    "insect": """
    ant, bee, butterfly, ladybug, beetle, grasshopper, dragonfly, cricket, moth, firefly, caterpillar
    """,
    "place": """
    park, garden, forest, beach, playground, meadow, woods, village, lake, hill, farm, orchard,
    valley, pond, market, old barn, town square, field, riverbank, harbor
    """,
    "outing": """
    zoo, beach, museum, lake, farm, fair, forest, aquarium, market, library, mountain, harbor, circus
    """,
    "room": "kitchen, bedroom, living room, attic, hallway, cellar, playroom, bathroom",
    "furniture": """
    table, bed, sofa, chair, cupboard, bookshelf, desk, rug, wardrobe, bench, basket, piano
    """,
    "vehicle": """
    bus, train, tram, boat, bicycle, truck, taxi, tractor, ship, airplane, van, wagon
    """,
    "building": "house, school, castle, tower, cottage, barn, shop, bakery, windmill, lighthouse",
    "material": "wood, paper, clay, cloth, glass, stone, wool, straw, cardboard, tin",
    "instrument": """
    piano, violin, flute, drum, guitar, trumpet, harp, cello, banjo, clarinet, accordion, ukulele
    """,
    "job": """
    barber, captain, conductor, driver, florist, goldsmith, hunter, juggler, juice seller, knitter,
    lifeguard, miller, musician, magician, plumber, ranger, scientist, sculptor, waiter, weaver,
    window cleaner, writer, zookeeper, bricklayer, chimney sweep, clown, dancer, glassblower,
    baker, doctor, teacher, farmer, firefighter, sailor, painter, gardener, carpenter, librarian,
    nurse, pilot, cook, tailor, fisherman, postman, shoemaker, singer, builder, vet, clockmaker,
    beekeeper, potter, astronaut, dentist, mechanic, shepherd
    """,
    "book": """
    a talking teapot, seven sisters, robots, volcanoes, a snow queen, deserts, inventors, castles,
    a sleepy giant, the jungle, explorers, deep caves, a singing whale, spiders, old ships, comets,
    a stolen crown, a hidden valley, wolves, gardens, bridges, a boy who could fly, lighthouses,
    pirates, dragons, the stars, the ocean, trains, dinosaurs, a lost bear, a magic tree, knights,
    a flying house, birds, faraway islands, a clever fox, the moon, a brave mouse, wild horses
    """,
    "game": """
    hide-and-seek, tag, catch, hopscotch, marbles, checkers, leapfrog, soccer, dominoes, cards,
    pirates, charades
    """,
    "day": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
    "month": """
    January, February, March, April, May, June, July, August, September, October, November, December
    """,
    "few": "two, three, four, five, six, seven, eight",
    "town": """
    Applewick, Barleyford, Cobbleton, Dunmere, Eastbrook, Fernhollow, Goosebury, Harrowgate,
    Ivybridge, Kingsley, Lambton, Mossley, Nettlecombe, Otterbourne, Pinehurst, Quarryville,
    Rosedale, Saltmarsh, Tidewell, Underwood, Vinebury, Westhaven, Yarrowdale, Elderwood,
    Oakfield, Rivertown, Greenhill, Stonebridge, Maplewood, Sandy Bay, Bluewater, Thornby, Foxley,
    Millbrook, Sunvale, Hollowell, Briarton, Seacliff, Windmere, Clearwater, Redcastle, Larkspur
    """,
  ]
}
