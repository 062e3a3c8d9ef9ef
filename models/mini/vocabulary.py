"""What the bundled models know by name: objects, colours, styles and counts.

Everything else rests on this table: the art, the scene grammar, the painter's tokenizer, the scorer's
questions, the brief reader, and what the pipeline calls outside the model's range.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    plural: str
    icon: str  # name in the emoji sets


def _thing(line: str) -> Thing:
    """`name[/plural][ = icon]`; the plural adds s and the icon takes hyphens unless said otherwise."""
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

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (224, 49, 49),
    "orange": (247, 127, 0),
    "yellow": (255, 212, 40),
    "green": (47, 158, 68),
    "blue": (34, 98, 220),
    "purple": (124, 58, 190),
    "pink": (255, 150, 190),
    "brown": (121, 75, 42),
    "black": (28, 28, 32),
    "white": (250, 250, 250),
    "gray": (138, 142, 148),
}
GRID = 4  # cells along a scene's side
STYLES: tuple[str, ...] = ("flat", "cartoon")
COUNTS: dict[int, str] = {1: "one", 2: "two", 3: "three", 4: "four"}
RELATIONS: dict[str, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}
OPPOSITE: dict[str, str] = {"left": "right", "right": "left", "above": "below", "below": "above"}
