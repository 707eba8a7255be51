extension StoryLexicon {
  /// Things that belong together: the fields of an entry are used in one story.
  static let things: [String: String] = [
    // Name; what it says; where it lives; what it eats; what its young is called; a thing it does.
    "animal": """
    - cow;moo;barn;grass;calf;gives milk
    - dog;woof;kennel;bones;puppy;guards the house
    - cat;meow;house;fish;kitten;chases mice
    - sheep;baa;pasture;grass;lamb;gives wool
    - pig;oink;sty;turnips;piglet;rolls in the mud
    - duck;quack;pond;water plants;duckling;swims on the pond
    - hen;cluck;coop;corn;chick;lays eggs
    - horse;neigh;stable;hay;foal;pulls the cart
    - frog;croak;pond;flies;tadpole;jumps from leaf to leaf
    - owl;hoot;hollow tree;mice;owlet;flies at night
    - lion;roar;grassland;meat;cub;sleeps in the shade
    - mouse;squeak;hole;cheese;pup;hides from the cat
    - bee;buzz;hive;nectar;larva;makes honey
    - goose;honk;farmyard;grass;gosling;flies south in autumn
    - donkey;hee-haw;stable;carrots;foal;carries heavy bags
    - wolf;howl;den;meat;cub;runs through the forest
    - snake;hiss;burrow;frogs;snakelet;slides through the grass
    - goat;bleat;shed;leaves;kid;climbs on rocks
    - bear;growl;cave;berries;cub;sleeps all winter
    - monkey;chatter;jungle;bananas;infant;swings from branch to branch
    """,
    // To do; how it goes wrong; what helps; how it goes well.
    "skill": """
    - ride a bike;the bike wobbled and tipped over;look straight ahead and pedal hard;rode all the way to the big gate
    - swim;water splashed into {his h} nose;breathe slowly and kick with both legs;swam across the whole pool
    - whistle;only air came out;make {his h} lips small and blow gently;whistled a whole song
    - tie {his h} shoes;the laces came apart again;make two loops and cross them;tied both shoes without any help
    - skate;{his h} feet slid in two directions;bend {his h} knees a little;skated around the whole pond
    - juggle;the balls rolled all over the floor;start with only two balls;kept three balls in the air
    - catch a ball;the ball bounced off {his h} hands;watch the ball and not the thrower;caught the ball ten times in a row
    - play the <instrument>;it sounded like a sick cat;play every note slowly;played a song from start to end
    - knit;the wool was full of knots;count every loop;knitted a long <color> scarf
    - draw a horse;it looked like a table with a tail;look for circles and lines first;drew a horse that seemed to run
    - jump rope;the rope caught {his h} feet;listen to the beat of the rope;jumped fifty times in a row
    - fly a kite;the kite dropped like a stone;run against the wind;made the kite climb above the trees
    - bake bread;the dough stayed flat and hard;let the dough rest in a warm place;baked a loaf as soft as a pillow
    - read a hard book;the long words made {his h} head spin;read each word in small parts;read the last page out loud
    - row a boat;the boat turned in circles;pull with both arms at the same time;rowed to the other side of the lake
    - climb the old <tree>;{he h} slid back down;look for a strong branch before each step;sat at the very top and saw three towns
    """,
    // What is heard or seen; what it was.
    "fright": """
    - a tapping at the window;only a branch that moved in the wind
    - a long, low moan;only the wind in the chimney
    - two shining eyes in the dark;only the neighbor's cat
    - a tall shadow on the wall;only a coat that hung on a hook
    - a scratching under the floor;only a mouse that was building a nest
    - a soft thump on the stairs;only the dog with a shoe in its mouth
    - a strange creak above the bed;only the old boards that cooled down at night
    - a pale shape in the garden;only a shirt that nobody had taken off the line
    - a whisper behind the curtain;only the open window and the evening breeze
    - a rattle in the cupboard;only two cups that shook when the train went by
    """,
    // What is broken; how it breaks; how it is mended.
    "broken": """
    - {g}'s <color> cup;it slipped and fell on the floor;glued the pieces together
    - the <color> vase;a ball hit it and it fell over;glued it, and only a thin line could be seen
    - the kitchen window;a ball flew straight through it;measured the hole and put in new glass
    - {g}'s <color> teapot;it rolled off the tray;glued the handle back on
    - the old clock;it tumbled from the shelf;put all the little wheels back in their places
    - the little mirror;it fell from its hook;put the frame together and bought new glass
    - the picture frame;an elbow knocked it off the wall;made a new frame out of sticks
    - {g}'s favorite plate;it slid off the wet table;turned the pieces into a colorful picture
    - the lamp by the sofa;{h} ran too fast and bumped into it;made a new shade out of paper
    """,
    // What is made; a part; another part; what it is for.
    "project": """
    - tree house;boards;a rope ladder;read up there all day
    - raft;old logs;a flag;float down the stream
    - rocket;boxes;silver paper;fly to the moon
    - birdhouse;thin boards;a little roof;give the birds a warm home
    - robot;tin cans;two buttons for eyes;have someone to talk to
    - fort;blankets;six chairs;hide from the dragon
    - puppet theater;a big box;a red curtain;show a play to everyone
    - go-kart;four old wheels;a seat;race down the lane
    - snow castle;blocks of snow;a tall tower;be king and queen of the winter
    - lemonade stand;two crates;a painted sign;sell lemonade to thirsty people
    - kite;thin sticks;<color> paper;touch the clouds
    - scarecrow;straw;an old hat;keep the crows away
    - little bridge;flat stones;a rail of branches;cross the stream with dry feet
    """,
    // A dish; first, second and third thing in it; how it is finished.
    "recipe": """
    - pancakes;flour;eggs;milk;fried them until they were golden
    - apple pie;apples;sugar;butter;baked it until the crust was brown
    - vegetable soup;carrots;potatoes;onions;let it cook for an hour
    - lemonade;lemons;water;sugar;stirred until the sugar was gone
    - bread;flour;water;yeast;baked it in the hot oven
    - fruit salad;bananas;grapes;oranges;mixed everything in a big bowl
    - pizza;dough;tomatoes;cheese;baked it until the cheese melted
    - cookies;flour;honey;nuts;cut out stars and moons
    - omelet;eggs;cheese;mushrooms;turned it over in the pan
    - rice pudding;rice;milk;cinnamon;stirred it slowly
    - carrot cake;carrots;flour;eggs;spread white cream on top
    - pumpkin soup;pumpkin;cream;pepper;poured it into warm bowls
    """,
    // A thief; what it left; what it took it for.
    "thief": """
    - the dog;muddy paw prints;he had carried them to his basket
    - a squirrel;nutshells and tiny scratches;it was storing food for the winter
    - a crow;one shiny black feather;it liked everything that looked new
    - a raccoon;five little finger marks;it was feeding three hungry babies
    - the cat;gray hairs;she had only wanted a bite
    - a mouse;a trail of crumbs;it had a big family behind the wall
    - a goat;a chewed piece of cloth;it ate whatever it found
    - a little brother;sticky fingerprints;he had been too hungry to wait
    """,
    // A job; where; what one does; with what.
    "worker": """
    - baker;bakery;bakes bread;an oven
    - doctor;hospital;helps sick people;medicine
    - teacher;school;teaches children;books
    - farmer;farm;grows food;a tractor
    - firefighter;fire station;puts out fires;a long hose
    - sailor;harbor;sails across the sea;a ship
    - painter;studio;paints pictures;brushes
    - gardener;garden;takes care of plants;a rake
    - carpenter;workshop;makes tables and chairs;a saw
    - librarian;library;lends books;a computer
    - pilot;airport;flies airplanes;a map of the sky
    - cook;restaurant;cooks meals;pots and pans
    - tailor;shop;sews clothes;needle and thread
    - fisherman;lake;catches fish;a net
    - postman;post office;brings letters;a bag
    - shoemaker;workshop;mends shoes;a small hammer
    - vet;animal clinic;helps sick animals;bandages
    - beekeeper;meadow;looks after bees;a hat with a net
    - dentist;clinic;takes care of teeth;a tiny mirror
    - mechanic;garage;repairs cars;a wrench
    - shepherd;meadow;watches the sheep;a dog
    - astronaut;space station;travels into space;a rocket
    """,
    // A word and its opposite.
    "opposite": """
    - hot;cold
    - big;small
    - up;down
    - fast;slow
    - day;night
    - happy;sad
    - old;young
    - open;closed
    - full;empty
    - wet;dry
    - loud;quiet
    - hard;soft
    - light;dark
    - tall;short
    - near;far
    - clean;dirty
    - early;late
    - left;right
    - strong;weak
    - thick;thin
    - rich;poor
    - first;last
    - inside;outside
    - awake;asleep
    - sharp;dull
    - wide;narrow
    - rough;smooth
    - push;pull
    - give;take
    - begin;end
    - smile;frown
    - remember;forget
    - heavy;light
    - sweet;sour
    - before;after
    - above;below
    """,
    // A thing and what it is used for.
    "tool": """
    - spoon;eat soup
    - broom;sweep the floor
    - umbrella;stay dry in the rain
    - key;open a locked door
    - clock;tell the time
    - scissors;cut paper
    - ladder;reach high places
    - blanket;keep warm at night
    - pencil;write and draw
    - bucket;carry water
    - map;find the way
    - lamp;see in the dark
    - bridge;cross a river
    - towel;dry your hands
    - needle;sew clothes
    - hammer;drive in nails
    - soap;wash your hands
    - brush;paint a wall
    - telescope;look at the stars
    - basket;carry apples home
    - fridge;keep food cold
    - pillow;rest your head
    - comb;tidy your hair
    - boat;cross a lake
    - shovel;dig a hole
    - scale;weigh things
    - thermometer;measure how warm it is
    - oven;bake bread
    """,
    // A thing and its color.
    "colored": """
    - grass;green
    - snow;white
    - the sky on a clear day;blue
    - a ripe banana;yellow
    - a strawberry;red
    - coal;black
    - a carrot;orange
    - milk;white
    - a ripe lemon;yellow
    - chocolate;brown
    - an elephant;gray
    - a flamingo;pink
    - a ripe tomato;red
    - a frog;green
    - the night sky;black
    - a pumpkin;orange
    - a violet;purple
    - a polar bear;white
    - a crow;black
    - the sun in a drawing;yellow
    """,
    // A kind of thing and four members.
    "kind": """
    - fruit;apple;pear;cherry;plum
    - animal;horse;rabbit;wolf;goat
    - tool;hammer;saw;rake;shovel
    - flower;rose;tulip;daisy;lily
    - bird;robin;owl;sparrow;crow
    - vehicle;bus;train;truck;ship
    - shape;circle;square;triangle;star
    - tree;oak;pine;maple;birch
    - insect;ant;bee;moth;beetle
    - vegetable;carrot;onion;pea;cabbage
    - instrument;piano;flute;drum;harp
    """,
    "mass kind": """
    - color;red;blue;green;yellow
    - season;spring;summer;autumn;winter
    - drink;milk;tea;water;lemonade
    - game;tag;leapfrog;hopscotch;checkers
    - material;wood;glass;paper;wool
    - day of the week;Monday;Tuesday;Friday;Sunday
    - month;January;April;July;October
    - number;two;seven;nine;twelve
    - taste;sweet;sour;salty;bitter
    - planet;Mars;Venus;Jupiter;Saturn
    """,
    // Words that rhyme.
    "rhyme": """
    - cat;hat;mat
    - moon;spoon;tune
    - tree;bee;sea
    - star;car;jar
    - mouse;house;blouse
    - fox;box;socks
    - bear;chair;pear
    - boat;goat;coat
    - frog;log;dog
    - snail;whale;tail
    - king;ring;string
    - clock;sock;rock
    - snow;bow;crow
    - cake;lake;snake
    - sheep;jeep;heap
    - sun;bun;run
    - wall;ball;hall
    - bread;bed;sled
    - duck;truck;luck
    - rain;train;lane
    """,
    // A month or time of the year and what it is like.
    "season": """
    - spring;the first flowers open;the birds build nests;the days get longer
    - summer;the sun is hot;people swim in the lake;the nights are short
    - autumn;leaves turn red and yellow;apples are ripe;the wind blows hard
    - winter;snow falls;people wear warm coats;the nights are long
    """,
    // A shape or thing, and how many of something it has.
    "number of": """
    - legs does a dog have;four
    - legs does a bird have;two
    - legs does an ant have;six
    - legs does a spider have;eight
    - wheels does a bicycle have;two
    - wheels does a car have;four
    - wheels does a tricycle have;three
    - days are there in a week;seven
    - months are there in a year;twelve
    - sides does a triangle have;three
    - sides does a square have;four
    - fingers are there on one hand;five
    - arms does an octopus have;eight
    - minutes are there in an hour;sixty
    - hours are there in a day;twenty-four
    - colors are there in a rainbow;seven
    - letters are there in the alphabet;twenty-six
    - ears does a rabbit have;two
    - seasons are there in a year;four
    - points does a star in a drawing have;five
    """,
  ]
}
