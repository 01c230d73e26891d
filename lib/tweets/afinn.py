"""AFINN-111 (F. Å. Nielsen, 2011): the valence of a text is the sum of its entries' valences, from -5 to 5 each.

The rule `afinn` gives exactly what the `afinn` package gives with this list. That package matches one regular
expression of 2,477 alternatives, longest first, between word boundaries. All entries begin and end with a word
character, so a match begins where a word (`\\w+`) begins and ends where one ends: words can be looked up in a
dictionary, and only the 23 entries of several words (15 phrases, 8 with hyphens) need an expression, in the few texts
that hold such an entry's longest word.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from lib.errors import BadData

Rule = Literal["afinn", "words"]

FILE = "AFINN-111.txt"  # the package's default list is AFINN-165
ENTRIES = 2477

_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")


class Scored(NamedTuple):
    """A text's valence, and the entries that gave it, in the text's order and as often as they stand there.

    Without entries the valence is 0; one of 0 with entries is a balance (or "some kind", whose valence is 0).
    """

    valence: int
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """AFINN's entries with their valences (integers), and what finds those of several words."""

    valences: Mapping[str, int]
    hints: frozenset[
        str
    ]  # the longest word of each entry of several words: a text without any of them has no such entry
    units: re.Pattern[str]  # an entry of several words, longest first, else a word


_NOTHING = Scored(0, ())


@cache
def load_lexicon() -> Lexicon:
    """AFINN-111 from the data file of the `afinn` package.

    Raises BadData where the file isn't there or isn't that list.
    """
    # found and not imported: the package's code isn't needed, and its first import may print a SyntaxWarning
    spec = find_spec("afinn")
    places = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(places[0] if places else "afinn", "data", FILE)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as fault:
        raise BadData(f"{path} can't be read ({fault.strerror}); install the afinn package again") from fault
    valences = {}
    for line in lines:
        entry, _, valence = line.partition("\t")
        try:
            valences[entry] = int(valence)
        except ValueError:
            raise BadData(f"{path} has the line {line!r}; expected an entry, a tab and its valence") from None
    if len(valences) != ENTRIES:
        raise BadData(f"{path} has {len(valences)} entries; expected the {ENTRIES} of AFINN-111")
    return make_lexicon(valences)


def make_lexicon(valences: Mapping[str, int]) -> Lexicon:
    """A lexicon of entries in lower case that begin and end with a word character, as AFINN-111's all do."""
    several = sorted((entry for entry in valences if not _WORD.fullmatch(entry)), key=len, reverse=True)
    hints = frozenset(max(_WORD.findall(entry), key=len) for entry in several)
    phrases = "|".join(re.escape(entry).replace(r"\ ", r"\s+") for entry in several)
    return Lexicon(valences, hints, re.compile(rf"\b(?:{phrases})\b|\w+" if several else r"\w+"))


def normalise(text: str) -> str:
    """The text with its HTML entities unescaped (once, as Twitter escapes them) and curly apostrophes made straight.

    The modifier letter ʼ is left alone: it is a letter to Unicode, so that straightening it would part words.
    """
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = text.replace("’", "'").replace("‘", "'")
    return text


def score_afinn(text: str, lexicon: Lexicon) -> Scored:
    """The rule of the lexicon's author: lower case, whole words, longest entry first. `text` is a normalised one."""
    valences = lexicon.valences
    text = text.lower()
    words = _WORD.findall(text)
    if not lexicon.hints.isdisjoint(words):
        words = lexicon.units.findall(_SPACES.sub(" ", text))
    entries = tuple([word for word in words if word in valences])
    if not entries:
        return _NOTHING
    return Scored(sum([valences[entry] for entry in entries]), entries)


def score_words(text: str, lexicon: Lexicon) -> Scored:
    """The original's rule: what stands between white space, exactly as an entry is written. `text` is as it came."""
    valences = lexicon.valences
    entries = tuple([word for word in text.split() if word in valences])
    return Scored(sum([valences[entry] for entry in entries]), entries)


def mark(text: str, lexicon: Lexicon) -> list[tuple[str, int | None]]:
    """A normalised text in pieces, each with the valence of the entry that it is by the rule `afinn`, or None.

    The pieces make up the text, capitals, spaces and all.
    """
    lowered = [each.lower() for each in text]
    # İ becomes two characters, so that places in the lowered text need not be those in the text
    origin = [place for place, each in enumerate(lowered) for _ in each]
    pieces: list[tuple[str, int | None]] = []
    done = 0
    for found in lexicon.units.finditer("".join(lowered)):
        valence = lexicon.valences.get(_SPACES.sub(" ", found[0]))
        if valence is None:
            continue
        start, end = origin[found.start()], origin[found.end() - 1] + 1
        if done < start:
            pieces.append((text[done:start], None))
        pieces.append((text[start:end], valence))
        done = end
    if done < len(text):
        pieces.append((text[done:], None))
    return pieces


def scorer(rule: Rule) -> Callable[[str], Scored]:
    """A function that scores texts as they came, by the rule named, with AFINN-111."""
    lexicon = load_lexicon()
    if rule == "words":
        return lambda text: score_words(text, lexicon)
    return lambda text: score_afinn(normalise(text), lexicon)
