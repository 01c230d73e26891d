"""What a topic is called: a phrase that its headlines share, and the words that tell it from the other topics.

    label_topics(corpus, weights, lengths, beta, counts)
    ["interest rates, dollar, economy", "striker, referee, league", …]

The phrase comes out of the titles of the articles that are most about the topic; no others are read, were there a
million. The parts are set apart by commas, and what stands before the first comma does for the topic's short name.
"""

import math
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence

import numpy as np
from gensim.corpora import Dictionary
from numpy.typing import NDArray

from lib.charts import shortened
from lib.topics.articles import Article
from lib.topics.corpus import Corpus
from lib.topics.joining import joined, phrases_of
from lib.topics.relevance import relevance
from lib.topics.text import BREAK, tokenise, without_suffix

PARTS = 3  # of a label: the phrase and two words, or three words
LABEL_CHARACTERS = 40  # of a label: a word more is taken where it still fits
PART_CHARACTERS = 30  # somebody's word has ten thousand
RELEVANCE = 0.6  # λ of Sievert & Shirley (2014), the value their readers told topics apart best with
LIKELIEST = 30  # a label's words should be ones that a reader meets in the topic
WORDS = 10  # of those, the most relevant are looked at

TITLES = 500  # a topic, all different
LEAST_WEIGHT = 0.3  # of a topic in an article whose title may speak for it
LEAST_WORDS = 5  # a shorter bag says too little for its article to stand for a topic
TITLE_CHARACTERS = 300  # of a title that are read; somebody's has megabytes
LONGEST = 5  # words of a phrase
LEAST_TITLES, LEAST_SHARE = 3, 0.014  # so many of a topic's titles, and one in seventy of them, have its phrase
LEAST_RATIO = 4.0  # between the parts of the topic's titles and of the others' that have it
SURPRISE = 10.83  # of G²: by chance once in a thousand phrases (χ² with one degree of freedom)
LEAST_OWN = 0.2  # of the uses of the phrase's words, on a geometric mean, are the topic's by the model
AS_GOOD = 0.75  # a longer phrase with so many of a shorter one's titles is what was meant

# What headlines do, when and how much: no name begins or ends so, and it labels nothing.
_HEADLINE_WORDS = """
accept accepts add adds affirmed agree agreed agrees announces approves ask asks back backs begins buy buys call
calls close closes come comes could cut cuts declares downgrade downgraded downgrades expect expected expects face
faces fall falls fell file files find finds found gain gains get gets give given gives go goes hit hits introduces
issues keep keeps launches lead leads lift lifts look looks make makes may might name named names need needs plan
plans put puts raise raised raises reports rise rises rose said say says see seek seeks seen sees sell sells set
sets show shows sign signed signs sold starts stay stays take takes tell tells told upgrade upgraded upgrades urge
urges want wants warn warns win wins would higher lower
january february march april june july august september october november december
jan feb apr jun jul aug sep sept oct nov dec
monday tuesday wednesday thursday friday saturday sunday today week weeks month months year years million
billion trillion mln bln dlr dlrs pct percent via
"""
_NO_EDGE = frozenset(_HEADLINE_WORDS.split())
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_DASH = re.compile(r"\s-+\s|--+")
Floats = NDArray[np.float64]
Phrase = tuple[str, ...]


def label_topics(
    corpus: Corpus, weights: NDArray[np.float32], lengths: NDArray[np.floating], beta: Floats, counts: Floats
) -> list[str]:
    """A label for each topic, in the order of β's rows: "phrase, word, word", or three words where there is no phrase.

    `weights` has shape (articles, topics), `lengths` the words in each article's bag, `beta` shape (topics, words) with
    rows of sum 1, `counts` how often the corpus has each word. A label has at most LABEL_CHARACTERS, and no word twice.
    """
    titles = representative_titles(corpus.articles, corpus.suffixes, weights, lengths)
    # einsum, for `@` would make doubles of all weights first
    mass = beta * np.maximum(np.einsum("d,dk->k", lengths, weights), 1e-12)[:, None]
    own = mass / np.maximum(mass.sum(axis=0), 1e-300)  # of each word's uses, the part that is each topic's (Bayes)
    phrases = telling_phrases(titles, own, corpus.dictionary)
    scores = relevance(beta, counts / max(counts.sum(), 1), RELEVANCE)
    labels = []
    for k, phrase in enumerate(phrases):
        likely = np.argsort(-beta[k], kind="stable")[:LIKELIEST]
        best = likely[np.argsort(-scores[k, likely], kind="stable")][:WORDS]
        words = [corpus.dictionary[int(word)] for word in best]
        labels.append(_label(phrase, [word for word in words if word not in _NO_EDGE] or words))
    return labels


def _label(phrase: str | None, words: Sequence[str]) -> str:
    parts = [phrase] if phrase else []
    kin = {_kin(word) for word in tokenise(phrase)} if phrase else set()
    for word in words:
        shown = shortened(_with_initials(word.replace("_", " ")), PART_CHARACTERS)
        its = {_kin(each) for each in word.split("_")}
        if len(parts) == PARTS:
            break
        if not parts or (not its & kin and len(", ".join([*parts, shown])) <= LABEL_CHARACTERS):
            parts.append(shown)
            kin |= its
    return ", ".join(parts)


def _with_initials(text: str) -> str:
    """The U.S. and other dotted initials in capitals."""
    return _INITIALS.sub(lambda found: found[0].upper(), text)


def _kin(word: str) -> str:
    """What bank and banks, company and companies have in common."""
    return word.removesuffix("s")[:6]


def telling_articles(lengths: NDArray[np.floating]) -> NDArray[np.int64]:
    """The places of the articles that may stand for a topic: the longest half, if they have LEAST_WORDS."""
    return np.flatnonzero(lengths >= max(LEAST_WORDS, np.median(lengths)))


def representative_titles(
    articles: Sequence[Article],
    suffixes: Container[str],
    weights: NDArray[np.float32],
    lengths: NDArray[np.floating],
) -> list[list[str]]:
    """For each topic up to TITLES titles, no two of the same words, of the articles that are most about it.

    Of the longest half of all articles, those of the topic's highest weights; `weights` has shape (articles, topics).
    """
    enough = telling_articles(lengths)
    result = []
    for k in range(weights.shape[1]):
        its = weights[enough, k]
        least = LEAST_WEIGHT
        if len(its) > 2 * TITLES:  # more than enough of them, as some have no title, or another's
            least = max(least, float(np.partition(its, -2 * TITLES)[-2 * TITLES]))
        places = np.flatnonzero(its >= least)
        found: dict[Phrase, str] = {}
        for place in places[np.argsort(-its[places], kind="stable")][: 2 * TITLES].tolist():
            title = without_suffix(articles[int(enough[place])].title, suffixes)[:TITLE_CHARACTERS]
            words = tuple(_tokens(title))
            if words:
                found.setdefault(words, title)
            if len(found) == TITLES:
                break
        result.append(list(found.values()))
    return result


def telling_phrases(titles: Sequence[Sequence[str]], own: Floats, dictionary: Dictionary) -> list[str | None]:
    """For each topic the phrase that its titles have and the others' hardly do; None where there is none.

    A phrase is two to LONGEST words; the first and the last are the dictionary's, which has no stop words. Its score is
    the log-likelihood ratio G² of how many titles have it (Dunning 1993, Accurate methods for the statistics of
    surprise and coincidence), times the part of its words' uses that is the topic's: `own`, of shape (topics, words).
    No two topics get the same phrase, nor one a part of the other's.
    """
    tails = phrases_of(dictionary.token2id)
    edges = {part for word in dictionary.token2id for part in (word.split("_")[0], word.split("_")[-1])} - _NO_EDGE
    held = [Counter(phrase for title in each for phrase in _phrases(_tokens(title), edges)) for each in titles]
    everywhere: Counter[Phrase] = Counter()
    for each in held:
        everywhere.update(each)
    total = sum(len(each) for each in titles)
    found: list[tuple[float, int, Phrase]] = []
    for k, each in enumerate(held):
        size = len(titles[k])
        others = max(total - size, size)  # a single topic is held against as many titles that lack the phrase
        least = max(LEAST_TITLES, LEAST_SHARE * size)
        for phrase, count in each.items():
            elsewhere = everywhere[phrase] - count
            if count < least or count * others < LEAST_RATIO * elsewhere * size:
                continue
            surprise = _surprise(count, size, elsewhere, others)
            known = [dictionary.token2id[word] for word in joined(phrase, tails) if word in dictionary.token2id]
            part = float(np.exp(np.log(np.maximum(own[k, known], 1e-9)).mean())) if known else 0.0
            if surprise >= SURPRISE and part >= LEAST_OWN:
                found.append((surprise * part, k, phrase))
    found.sort(key=lambda one: (-one[0], -len(one[2]), one[1:]))
    taken: dict[int, Phrase] = {}
    for _, k, phrase in found:
        if k not in taken:
            longer = _longest(phrase, held[k])
            if not any(_inside(longer, other) or _inside(other, longer) for other in taken.values()):
                taken[k] = longer
    mixed = [title for each in titles for title in each if not title.isupper()]
    return [
        shortened(_as_written(taken[k], each, mixed), PART_CHARACTERS) if k in taken else None
        for k, each in enumerate(titles)
    ]


def _tokens(title: str) -> list[str]:
    """A title's words; a dash, other than a hyphen, parts two of them."""
    return tokenise(_DASH.sub(" . ", title))


def _phrases(tokens: Sequence[str], edges: Container[str]) -> set[Phrase]:
    """The word sequences of a title that can be phrases."""
    found = set()
    for start, first in enumerate(tokens):
        if first not in edges:
            continue
        characters = len(first)
        for end in range(start + 1, min(start + LONGEST, len(tokens))):
            characters += 1 + len(tokens[end])
            if tokens[end] == BREAK or characters > PART_CHARACTERS:
                break
            if tokens[end] in edges:
                found.add(tuple(tokens[start : end + 1]))
    return found


def _surprise(count: int, size: int, elsewhere: int, others: int) -> float:
    """G² of a phrase that `count` of `size` titles have, and `elsewhere` of `others`."""
    share = (count + elsewhere) / (size + others)
    cells = (
        (count, size * share),
        (size - count, size * (1 - share)),
        (elsewhere, others * share),
        (others - elsewhere, others * (1 - share)),
    )
    return 2 * sum(seen * math.log(seen / expected) for seen, expected in cells if seen)


def _longest(phrase: Phrase, held: Mapping[Phrase, int]) -> Phrase:
    """The longest phrase around this one that nearly as many titles have: New York Stock Exchange for New York."""
    around = (other for other, count in held.items() if count >= AS_GOOD * held[phrase] and _inside(phrase, other))
    return max(around, key=lambda other: (len(other), held[other], other))


def _inside(part: Phrase, whole: Phrase) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def _as_written(phrase: Phrase, titles: Sequence[str], elsewhere: Sequence[str]) -> str:
    """The phrase in the spelling that most of the topic's titles have; in lower case where all are in capitals.

    A title whose other words are in lower case, too, knows what is a name, unless the phrase begins it. Where there is
    none such, one with a capital at Every Word is asked, and those of other topics before ONE IN CAPITALS.
    """
    for some in (titles, elsewhere):
        votes = _spellings(phrase, some)
        best = next((tier for tier in votes[:-1] if tier), None)
        if best:
            return max(best, key=lambda form: (best[form], form))
    capitals = _spellings(phrase, titles)[-1] or Counter([" ".join(phrase)])
    return _with_initials(max(capitals, key=lambda form: (capitals[form], form)).lower())


def _spellings(phrase: Phrase, titles: Sequence[str]) -> list[Counter[str]]:
    """How the titles that have the phrase write it: those that know names, other ones, those in capitals."""
    between = r"(?:['’]\w+)?(?:\s+|-)"  # the tokens have lost Wall Street's ending
    pattern = re.compile(rf"(?<!\w){between.join(map(re.escape, phrase))}(?:['’]s)?(?!\w)", re.IGNORECASE)
    votes: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for title in titles:
        found = pattern.search(title) if phrase[0] in title.lower() else None
        if found is None or len(found[0]) > PART_CHARACTERS:
            continue
        rest = [word for word in (title[: found.start()] + title[found.end() :]).split() if len(word) > 3]
        sentence = 2 * sum(word.islower() for word in rest) > len(rest)
        tier = 2 if title.isupper() else 0 if sentence and found.start() else 1
        votes[tier][" ".join(found[0].split())] += 1
    return votes
