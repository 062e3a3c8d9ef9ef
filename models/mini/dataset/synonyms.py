"""Synonyms for the vocabulary of the bundled models, and the nearest word in it for words outside."""

from __future__ import annotations

from collections.abc import Iterator

from models.english import RELATIONS
from models.mini.dataset.art import readable_on
from models.mini.dataset.vocabulary import BY_NAME, COUNTS, OBJECTS, STYLES
from models.palette import COLOURS

# Only words that mean the same: a taxi is not just a car.
NEAR: dict[str, tuple[str, ...]] = {
    "airplane": ("plane", "aeroplane", "aircraft", "jet", "airliner"),
    "backpack": ("rucksack", "knapsack"),
    "bear": ("grizzly", "grizzly bear"),
    "bee": ("honeybee", "honey bee"),
    "bicycle": ("bike", "cycle", "pushbike"),
    "birthday cake": ("cake",),
    "bread": ("loaf", "loaf of bread"),
    "cactus": ("cactuses",),
    "car": ("automobile", "motor car"),
    "cat": ("kitten", "kitty", "pussycat", "house cat"),
    "cheese": ("wedge of cheese", "piece of cheese"),
    "cherries": ("cherry",),
    "chicken": ("hen",),
    "clock": ("alarm clock",),
    "cookie": ("biscuit",),
    "crescent moon": ("moon", "half moon"),
    "cup with straw": ("cup with a straw", "soft drink", "soda cup", "milkshake"),
    "dog": ("puppy", "pup", "doggy", "hound"),
    "doughnut": ("donut",),
    "duck": ("duckling",),
    "eggplant": ("aubergine",),
    "evergreen tree": ("evergreen", "pine tree", "fir tree", "conifer", "pine", "fir"),
    "fire": ("flame", "campfire"),
    "fire engine": ("fire truck", "firetruck"),
    "fish": ("fishes", "goldfish", "tropical fish"),
    "gem": ("gemstone", "diamond", "jewel"),
    "gift": ("present", "gift box", "wrapped gift"),
    "glasses": ("spectacles", "eyeglasses", "pair of glasses"),
    "grapes": ("grape", "bunch of grapes"),
    "hamburger": ("burger", "cheeseburger"),
    "heart": ("love heart",),
    "horse": ("pony",),
    "hot dog": ("hotdog",),
    "hot drink": ("coffee", "tea", "cup of coffee", "cup of tea", "mug", "hot beverage"),
    "house": ("cottage",),
    "ice cream": ("ice cream cone", "soft ice"),
    "ladybug": ("ladybird", "lady bird"),
    "laptop": ("notebook computer", "laptop computer"),
    "light bulb": ("lightbulb", "bulb"),
    "motorcycle": ("motorbike", "motor bike"),
    "mushroom": ("toadstool",),
    "octopus": ("octopi",),
    "palm tree": ("palm", "coconut tree"),
    "panda": ("panda bear",),
    "pig": ("piglet",),
    "pizza": ("slice of pizza", "pizza slice"),
    "police car": ("squad car",),
    "rabbit": ("bunny", "bunny rabbit"),
    "ring": ("wedding ring", "diamond ring"),
    "rocket": ("spaceship", "rocket ship"),
    "sailboat": ("sailing boat", "boat", "yacht"),
    "scissors": ("pair of scissors", "shears"),
    "snake": ("serpent",),
    "soccer ball": ("football",),
    "teddy bear": ("teddy", "teddies"),
    "train": ("locomotive", "steam train", "steam engine"),
    "trophy": ("winner's cup",),
    "turtle": ("tortoise",),
    "umbrella": ("brolly",),
    "watermelon": ("slice of watermelon", "water melon"),
}
NEAR = {name: words for name, words in NEAR.items() if name in BY_NAME}

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "ruby", "cherry red"),
    "orange": ("tangerine",),
    "yellow": ("gold", "golden", "lemon yellow"),
    "green": ("emerald", "lime", "lime green", "olive green"),
    "blue": ("navy", "navy blue", "sky blue", "royal blue", "azure", "cobalt"),
    "purple": ("violet", "lilac", "lavender"),
    "pink": ("rose pink", "hot pink", "magenta", "fuchsia"),
    "brown": ("chocolate brown", "chestnut"),
    "black": ("jet black",),
    "white": ("snow white", "ivory"),
    "gray": ("grey", "greyish", "silver"),
}

STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "flat": ("flat design", "flat look", "flat art", "flat vector"),
    "cartoon": ("cartoonish", "cartoony", "comic", "comic book", "toon", "cartoons"),
}

# For suggestions in notes only; they are never drawn instead.
KIN: dict[str, str] = {
    **dict.fromkeys(("wolf", "coyote", "jackal"), "dog"),
    **dict.fromkeys(("leopard", "cheetah", "jaguar", "panther"), "tiger"),
    **dict.fromkeys(("eagle", "hawk", "falcon", "bird", "parrot"), "owl"),
    **dict.fromkeys(("goose", "swan", "seagull"), "duck"),
    **dict.fromkeys(("goat", "sheep", "bull", "ox", "deer"), "cow"),
    **dict.fromkeys(("donkey", "zebra", "unicorn", "mule"), "horse"),
    **dict.fromkeys(("polar bear", "koala"), "bear"),
    **dict.fromkeys(("shark", "seal", "orca"), "dolphin"),
    **dict.fromkeys(("hamster", "rat", "squirrel", "hedgehog"), "mouse"),
    **dict.fromkeys(("dinosaur", "crocodile", "lizard"), "turtle"),
    **dict.fromkeys(("lobster", "shrimp", "spider"), "crab"),
    **dict.fromkeys(("moth", "dragonfly"), "butterfly"),
    **dict.fromkeys(("truck", "van", "taxi", "lorry"), "car"),
    **dict.fromkeys(("tram", "coach"), "bus"),
    **dict.fromkeys(("ship", "ferry", "canoe"), "sailboat"),
    **dict.fromkeys(("scooter", "moped"), "motorcycle"),
    **dict.fromkeys(("ufo", "satellite"), "rocket"),
    **dict.fromkeys(("castle", "church", "barn", "skyscraper", "tower", "bridge"), "house"),
    **dict.fromkeys(("daisy", "lily", "orchid", "flower", "poppy"), "tulip"),
    **dict.fromkeys(("violin", "piano", "ukulele", "trumpet"), "guitar"),
    **dict.fromkeys(("robot", "doll", "snowman"), "teddy bear"),
    **dict.fromkeys(("hat", "cap", "helmet"), "top hat"),
    **dict.fromkeys(("sofa", "table", "stool", "bed"), "chair"),
    **dict.fromkeys(("phone", "computer", "tablet", "television"), "laptop"),
    **dict.fromkeys(("pen", "brush", "crayon"), "pencil"),
    **dict.fromkeys(("bag", "suitcase", "handbag"), "backpack"),
    **dict.fromkeys(("lamp", "lantern", "torch"), "light bulb"),
    **dict.fromkeys(("peach", "plum", "mango"), "apple"),
    **dict.fromkeys(("muffin", "cupcake", "pie"), "birthday cake"),
    **dict.fromkeys(("pretzel", "bagel", "baguette"), "croissant"),
    **dict.fromkeys(("sandwich", "burrito"), "hamburger"),
    **dict.fromkeys(("cauliflower", "cabbage", "lettuce"), "broccoli"),
    **dict.fromkeys(("saw", "screwdriver", "wrench", "axe"), "hammer"),
    **dict.fromkeys(("planet", "comet", "meteor"), "star"),
    **dict.fromkeys(("teal", "turquoise", "cyan", "aqua", "indigo"), "blue"),
    **dict.fromkeys(("beige", "tan", "cream", "bronze"), "brown"),
    **dict.fromkeys(("maroon", "burgundy", "coral"), "red"),
    **dict.fromkeys(("mint", "khaki"), "green"),
    **dict.fromkeys(("peach-coloured", "salmon"), "pink"),
    **dict.fromkeys(("minimalist", "vector", "line art", "geometric", "paper cut"), "flat"),
    **dict.fromkeys(("anime", "watercolour", "3d", "photorealistic", "sketch", "hand-drawn"), "cartoon"),
}
KIN = {word: name for word, name in KIN.items() if name in BY_NAME or name in COLOURS or name in STYLES}


# What the art of an object shows besides: no picture of it is without.
PARTS: dict[str, tuple[str, ...]] = {
    "birthday cake": ("candle", "fire", "strawberry", "cherries"),
    "candle": ("fire",),
    "crown": ("gem",),
    "gift": ("ribbon", "bow"),
    "hamburger": ("cheese", "tomato", "lettuce", "bread", "bun"),
    "hot dog": ("bread", "bun", "sausage"),
    "ice cream": ("cherries", "cup"),
    "pizza": ("cheese", "tomato"),
    "ring": ("gem",),
    "rocket": ("star", "fire"),
    "taco": ("cheese", "tomato", "lettuce"),
    "teddy bear": ("ribbon", "bow"),
}


# For pictures whose brief names no background, in the order in which seeds try them.
GROUNDS = ("white", "yellow", "blue", "pink", "green", "gray")


def _vanishing(ground: str) -> Iterator[str]:
    """The objects, and the colours of objects, that do not stand out from a background in every style."""
    for thing in OBJECTS:
        if not all(readable_on(thing.name, style, None, ground) for style in STYLES):
            yield thing.name
    for colour in COLOURS:
        clear = [readable_on(thing.name, style, colour, ground) for thing in OBJECTS for style in STYLES]
        if sum(clear) < 0.9 * len(clear):
            yield colour


# What no drawing has as a part, and people rule out: where all is whole and nothing else is there, it is not there.
# Words for whole kinds of things ("bird", "flower") are left out, since some drawing is one.
NEVER = """
adult, baby, background text, bacon, barcode, bat, bed, beer, beer bottle, bench, bomb, boot, border, bottle, boy,
bridge, bucket, building, canoe, caption, cart, cast shadow, castle, cheetah, child, children, church, cigarette,
city, clown, coat, copyright, copyright notice, crocodile, crowd, deer, dinosaur, dragon, dress, driver, drop
shadow, eagle, farmer, fence, fork, frame, fries, gate, ghost, giraffe, girl, glass bottle, glove, goat, gun,
hamster, hat, hedgehog, hill, hippo, human, hut, inscription, jacket, kangaroo, kid, knife, koala, ladder, lamp,
lamp post, leopard, lettering, letters, lizard, lobster, logo, lorry, man, meat, microphone, milk bottle, monster,
mountain, parrot, passenger, peanut, people, person, phone, photo credit, piano, player, policeman, pumpkin, qr
code, rat, rhino, rider, road, robot, rope, sandwich, santa, scarf, scooter, seagull, shadow, shark, sheep, ship,
shirt, shoe, signature, skeleton, skull, skyline, skyscraper, slogan, snow, sock, sofa, soup, speech bubble, spider,
spoon, squirrel, street, student, swan, sword, table, taxi, teacher, television, tent, text, title, traffic light,
tram, trolley, trousers, truck, trumpet, typography, unicorn, van, village, violin, wagon, watermark, weapon, wine,
wine glass, witch, wizard, wolf, woman, word, words, writing, zebra, zombie
"""


def drawable() -> dict[str, object]:
    """The range of the bundled image model, in the form of `range.json`; a test checks that both are equal."""
    return {
        "objects": {thing.name: [thing.plural, *NEAR.get(thing.name, ())] for thing in OBJECTS},
        "colours": {name: list(COLOUR_WORDS.get(name, ())) for name in COLOURS},
        "styles": {name: list(STYLE_WORDS.get(name, ())) for name in STYLES},
        "relations": list(RELATIONS),
        "max_count": max(COUNTS),
        "max_kinds": 2,
        "counts_alone": True,
        "plain_backgrounds": True,
        "grounds": {ground: list(_vanishing(ground)) for ground in GROUNDS},
        "parts": PARTS,
        "never": [word.strip() for word in NEVER.split(",")],
        "kin": KIN,
    }
