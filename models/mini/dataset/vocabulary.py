"""The vocabulary of the bundled models: objects, styles and counts.

The art, the scene grammar, the tokenizers, the scorer's statements, the examples of the brief reader, and range.json
are derived from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.english import NUMBERS


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    plural: str
    icon: str  # name in the emoji sets


def _thing(line: str) -> Thing:
    """Parse `name[/plural][ = icon]`. By default the plural is the name with s, and the icon is the name with
    hyphens."""
    words, _, icon = (part.strip() for part in line.partition("="))
    name, _, plural = words.partition("/")
    return Thing(name, plural or name + "s", icon or name.replace(" ", "-"))


OBJECTS: tuple[Thing, ...] = tuple(
    _thing(line)
    for line in """
airplane
apple = red-apple
avocado
backpack
balloon
banana
basketball
bear
bee = honeybee
bell
bicycle
birthday cake
bread/breads
broccoli/broccolis
bus/buses
butterfly/butterflies
cactus/cacti
camera
candle
car = automobile
carrot
cat = cat-face
chair
cheese/cheeses = cheese-wedge
cherries/cherries
chicken
clock = alarm-clock
cloud
cookie
cow = cow-face
crab
crescent moon
croissant
crown
cup with straw/cups with straws
dog = dog-face
dolphin
doughnut
drum
duck
egg
eggplant
elephant
evergreen tree
fire/fires
fire engine
fish/fish = tropical-fish
fox/foxes
frog
gem = gem-stone
gift = wrapped-gift
glasses/glasses
grapes/grapes
guitar
hamburger
hammer
heart = red-heart
helicopter
horse
hot dog
hot drink = hot-beverage
house
ice cream
key
ladybug = lady-beetle
laptop
lemon
light bulb
lion
magnet
monkey = monkey-face
motorcycle
mouse/mice = mouse-face
mushroom
octopus/octopuses
owl
palm tree
panda
pear
pencil
penguin
pig = pig-face
pineapple
pizza
police car
rabbit = rabbit-face
rainbow
ring
rocket
rose
sailboat
scissors/scissors
snail
snake
snowflake
soccer ball
star
strawberry/strawberries
sun
sunflower
taco
teddy bear
tiger = tiger-face
tomato/tomatoes
top hat
tractor
train = locomotive
tree = deciduous-tree
trophy/trophies
tulip
turtle
umbrella
watermelon
whale = spouting-whale
""".strip().splitlines()
)
BY_NAME: dict[str, Thing] = {thing.name: thing for thing in OBJECTS}

GRID = 4  # cells along a scene's side
STYLES: tuple[str, ...] = ("flat", "cartoon")
COUNTS: dict[int, str] = {count: NUMBERS[count] for count in range(1, 5)}
