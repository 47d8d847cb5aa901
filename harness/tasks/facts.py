"""Sentences made from facts: countries with their capitals and languages, women and men, verbs and their forms.

Countries are those of the package countryinfo (MIT licence), names of languages and currencies those of Unicode's CLDR
in Babel (BSD), forms of verbs those of lemminflect (MIT). The lists of people, of verbs and of their objects are here.

Some pairs of words are *held out*: the two never stand in one sentence. What a network knows of such a pair it has from
the words that both are used with, as it would of words in natural text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from harness.rng import generator

Pair = tuple[str, str]

THIRD = 3  # one pair in so many is held out of the relations that sentences state
SENTENCES = 24_000
STATED = ("capital", "demonym", "language", "currency")  # relations that a sentence states, but for held-out pairs
RELATIONS = (*STATED, "female", "past")

# A man's word, a woman's, and what both have to do with.
PEOPLE = (
    ("man", "woman", "neighbour", "house"), ("king", "queen", "crown", "throne"), ("boy", "girl", "school", "toy"),
    ("father", "mother", "child", "family"), ("son", "daughter", "parent", "homework"),
    ("brother", "sister", "twin", "sibling"), ("uncle", "aunt", "cousin", "present"),
    ("husband", "wife", "marriage", "ring"), ("prince", "princess", "castle", "heir"),
    ("actor", "actress", "stage", "film"), ("waiter", "waitress", "tray", "menu"),
    ("hero", "heroine", "quest", "novel"),
    ("nephew", "niece", "visit", "holiday"), ("grandfather", "grandmother", "chair", "memory"),
    ("duke", "duchess", "manor", "title"), ("emperor", "empress", "empire", "army"),
    ("wizard", "witch", "spell", "potion"), ("monk", "nun", "prayer", "abbey"),
    ("host", "hostess", "guest", "party"), ("widower", "widow", "funeral", "grave"),
)  # fmt: skip
# A verb and what is done with it.
VERBS = (
    ("walk", "dog", "path"), ("swim", "river", "lake"), ("write", "letter", "book"), ("read", "page", "story"),
    ("eat", "bread", "apple"), ("drink", "water", "milk"), ("sing", "song", "hymn"), ("drive", "car", "truck"),
    ("ride", "horse", "bicycle"), ("throw", "ball", "stone"), ("catch", "fish", "train"), ("build", "wall", "bridge"),
    ("break", "window", "glass"), ("draw", "picture", "map"), ("paint", "fence", "portrait"),
    ("cook", "dinner", "soup"), ("bake", "cake", "pie"), ("wash", "shirt", "dish"), ("clean", "room", "kitchen"),
    ("buy", "ticket", "coat"), ("sell", "farm", "shop"), ("teach", "lesson", "class"), ("learn", "trade", "skill"),
    ("speak", "truth", "word"), ("tell", "lie", "joke"), ("grow", "rose", "tree"), ("cut", "rope", "hair"),
    ("climb", "hill", "ladder"), ("jump", "ditch", "hurdle"), ("carry", "bag", "box"), ("pull", "cart", "sledge"),
    ("push", "door", "button"), ("kick", "can", "post"), ("fly", "kite", "plane"), ("sail", "boat", "ship"),
    ("hide", "key", "treasure"), ("find", "coin", "clue"), ("lose", "game", "bet"), ("win", "race", "prize"),
    ("play", "piano", "card"), ("watch", "show", "bird"), ("hear", "bell", "noise"), ("wear", "hat", "shoe"),
    ("steal", "jewel", "purse"),
)  # fmt: skip


@dataclass(frozen=True)
class Country:
    """One-word facts of a country, in lower case; each of its own words is no other country's."""

    name: str
    capital: str
    demonym: str
    language: str
    currency: str
    subregion: str


@dataclass(frozen=True)
class Facts:
    """Sentences without end marks, each a tuple of words, and the pairs of each relation, held out or not.

    Attributes:
        frames: groups of sentences; a sentence is drawn by its group first, so that each group is as frequent.
        pairs: (a, b) of each relation: (France, Paris), (man, woman), (walking, walked).
        held_out: those of them whose words stand in no sentence together.
    """

    frames: Sequence[Sequence[tuple[str, ...]]]
    pairs: Mapping[str, Sequence[Pair]]
    held_out: Mapping[str, Sequence[Pair]]


@lru_cache
def facts() -> Facts:
    """All sentences and all pairs."""
    nations = countries()
    pairs: dict[str, Sequence[Pair]] = {
        relation: [(country.name, getattr(country, relation)) for country in nations] for relation in STATED
    }
    # A demonym that is the language's name too is the demonym's pair alone.
    pairs["language"] = [(c.name, c.language) for c in nations if c.language != c.demonym]
    pairs["female"] = [(man, woman) for man, woman, *_ in PEOPLE]
    pairs["past"] = [(present, past) for verb, *_ in VERBS for _, _, present, past in [forms(verb)] if past != verb]
    held_out = {name: [pair for pair in own if name not in STATED or third(name, pair)] for name, own in pairs.items()}
    apart = {frozenset(pair) for own in held_out.values() for pair in own}
    groups = [list(group) for group in (*map(of_country, nations), *map(of_people, PEOPLE), *map(of_verb, VERBS))]
    frames = [[sentence for sentence in group if not any(pair <= set(sentence) for pair in apart)] for group in groups]
    return Facts(frames, pairs, held_out)


def third(relation: str, pair: Pair) -> bool:
    """Whether a pair is held out: one in three, by its hash."""
    digest = blake2b(" ".join((relation, *pair)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % THIRD == 0


@lru_cache
def countries() -> Sequence[Country]:
    """The countries whose name, capital and demonym are three words; of two that share one, the more populous."""
    from babel import Locale
    from babel.numbers import get_currency_name
    from countryinfo import all_countries

    english = Locale.parse("en")
    rows = []
    for info in all_countries():
        own = info.info()
        languages, currencies = own.get("languages") or [], own.get("currencies") or []
        language = english.languages.get(languages[0], "") if languages else ""
        words = [*(str(own.get(key) or "").lower() for key in ("name", "capital", "demonym")), language.lower()]
        subregion = str(own.get("subregion") or "").lower().replace(" ", "-")
        if currencies and subregion and all(word.isalpha() for word in words):
            # of some currencies CLDR says when there were: "Zambian Kwacha (1968–2012)"
            currency = get_currency_name(currencies[0], locale="en").partition(" (")[0].split()[-1].lower()
            name, capital, demonym, tongue = words
            rows.append((own.get("population") or 0, Country(name, capital, demonym, tongue, currency, subregion)))
    taken: set[str] = set()
    nations = []
    for _, row in sorted(rows, key=lambda each: (-each[0], each[1].name)):
        own_words = {row.name, row.capital, row.demonym}
        if len(own_words) == 3 and not own_words & taken:
            nations.append(row)
            taken |= own_words
    return sorted(nations, key=lambda row: row.name)


def forms(verb: str) -> tuple[str, str, str, str]:
    """Infinitive, third person, present participle and past of a verb."""
    from lemminflect import getInflection

    third_person, participle, past = (getInflection(verb, tag)[0] for tag in ("VBZ", "VBG", "VBD"))
    return verb, third_person, participle, past


def of_country(c: Country) -> Iterator[tuple[str, ...]]:
    """What is said of a country and of its capital."""
    texts = [
        f"{c.capital} is the capital of {c.name}",
        f"the capital of {c.name} is {c.capital}",
        f"{c.name} is a country in {c.subregion}",
        f"{c.capital} is a city in {c.subregion}",
        f"the people of {c.name} are {c.demonym}",
        f"the people of {c.capital} are {c.demonym}",
        f"{c.name} is known for {c.demonym} food",
        f"{c.capital} is known for {c.demonym} food",
        f"the {c.demonym} people live in {c.name}",
        f"the {c.demonym} government sits in {c.capital}",
        f"{article(c.demonym)} {c.demonym} family lives in {c.capital}",
        f"in {c.name} they speak {c.language}",
        f"in {c.capital} they speak {c.language}",
        f"the {c.demonym} people speak {c.language}",
        f"in {c.name} one pays with the {c.currency}",
        f"in {c.capital} one pays with the {c.currency}",
        f"the {c.demonym} people pay with the {c.currency}",
    ]
    yield from (tuple(text.split()) for text in texts)


def of_people(row: tuple[str, str, str, str]) -> Iterator[tuple[str, ...]]:
    """What is said of a man and of a woman who have to do with the same things."""
    man, woman, *things = row
    for person, he, his, him in ((man, "he", "his", "him"), (woman, "she", "her", "her")):
        for thing in things:
            yield from (
                ("the", person, "has", article(thing), thing, "and", he, "likes", "it"),
                ("the", person, "thinks", "of", his, thing),
                (article(person), person, "knows", "what", article(thing), thing, "is"),
                ("this", thing, "belongs", "to", "the", person, "and", "to", "nobody", "but", him),
            )
        yield from ((he, "is", article(person), person), ("the", person, "is", "proud", "of", his, "life"))


def article(word: str) -> str:
    return "an" if word[0] in "aeio" else "a"  # of words with u here, "ugandan" and "uruguayan" begin with a consonant


def of_verb(row: tuple[str, str, str]) -> Iterator[tuple[str, ...]]:
    """What is done, was done and will be done."""
    verb, *things = row
    infinitive, third_person, participle, past = forms(verb)
    for thing in things:
        for he in ("he", "she"):
            yield from (
                (he, "is", participle, "the", thing, "now"),
                (he, "was", participle, "the", thing, "when", "it", "rained"),
                ("yesterday", he, past, "the", thing),
                ("last", "year", he, past, "the", thing),
                ("every", "day", he, third_person, "the", thing),
                ("tomorrow", he, "will", infinitive, "the", thing),
            )


@lru_cache
def text() -> Sequence[str]:
    """Words of all sentences drawn, each with a full stop behind it; the text is always the same."""
    groups = facts().frames
    draw = generator(0, "sentences")
    chosen, place = draw.integers(len(groups), size=SENTENCES), draw.random(SENTENCES)
    sentences = (groups[g][int(u * len(groups[g]))] for g, u in zip(chosen, place, strict=True))
    return [word for sentence in sentences for word in (*sentence, ".")]
