"""Words from text: tokens, publication names at the end of titles, stop words."""

import io
import re
import socket
import warnings
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

# Breaks between words that don't stand side by side: phrases never reach over a comma, a full stop or a number.
BREAK = "."
# Dotted initials (u.s.), or a word that starts with a letter, with an apostrophe inside; else a break.
_TOKEN = re.compile(r"((?:[^\W\d_]\.){2,}|[^\W\d_]\w*(?:'\w+)?)|\d[\w.,:%]*|[^\s\w'-]+")
APOSTROPHES = "’‘ʼ´`"  # all read as one
_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_CLITICS = ("'s", "'ll", "'re", "'ve", "'d", "'m")
# Courtesy titles lead whole topics and name nothing; NLTK's list lacks them.
COURTESY_TITLES = frozenset({"mr", "mrs", "ms", "dr"})


def tokenise(text: str) -> list[str]:
    """Lower-case words in order, with a BREAK wherever punctuation or a number parts two of them.

    Possessives and contractions lose their ending (`Clinton's` → `clinton`); numbers are breaks; a hyphen parts words.
    """
    tokens: list[str] = []
    for found in _TOKEN.finditer(text.translate(_STRAIGHT).lower()):
        word = found[1]
        if word is None:
            if tokens and tokens[-1] != BREAK:
                tokens.append(BREAK)
        elif "'" in word:
            tokens.append(_bare(word))
        else:
            tokens.append(word)
    return tokens


_NEGATED = {"ca": "can", "wo": "will", "sha": "shall"}  # can't, won't, shan't


def _bare(word: str) -> str:
    if word.endswith("n't") and len(word) > len("n't"):
        return _NEGATED.get(word[:-3], word[:-3])
    for ending in _CLITICS:
        if word.endswith(ending) and len(word) > len(ending):
            return word.removesuffix(ending)
    return word


# " - The New York Times", " | Reuters", " — BBC News": a separator with room around it, then a few words
_SEPARATOR = re.compile(r"\s+[-–—·»:|]+\s+|\s*\|\s*")
_MARK = re.compile(r"[-–—·»:|]")
_MOST_NAME = 60  # characters, and
_MOST_WORDS = 6  # words of a publication's name
_MOST_NAMES = 3  # at the end of one title: a title of a million dashes is not a million names
MOST_ENDINGS = 100_000  # different ones that are counted at a time
_LEAST_TITLES = 3
_LEAST_SHARE = 0.2  # of a publication's titles


class Endings:
    """How often titles end in what may be a publication's name, counted as they come."""

    def __init__(self) -> None:
        self._endings: dict[str, Counter[str]] = defaultdict(Counter)
        self._sizes: Counter[str] = Counter()
        self._named: set[str] = set()
        self._written: dict[str, str] = {}
        self._limit = MOST_ENDINGS

    def count(self, title: str, publication: str) -> None:
        """Add a publication's title."""
        self._sizes[publication] += 1
        for name in _names_at_end(title):
            normal = _normal(name)
            if normal not in self._named and _same_name(name, publication):
                self._named.add(normal)
            self._endings[publication][normal] += 1
            self._written.setdefault(normal, name)
        if len(self._written) > self._limit:
            self._forget_rare()

    def suffixes(self) -> dict[str, str]:
        """The endings that name who published the titles: normalised → as first written.

        An ending is one where it is the publication's own name, or where at least three of a publication's titles and
        a fifth of them end so.
        """
        names = self._named | self._frequent(_LEAST_SHARE, _LEAST_TITLES)
        return {name: self._written[name] for name in sorted(names - {""})}

    def _frequent(self, share: float, least: int) -> set[str]:
        return {
            name
            for publication, counts in self._endings.items()
            for name, count in counts.items()
            if count >= least and count >= share * self._sizes[publication]
        }

    def _forget_rare(self) -> None:
        """Endings far below the share that is asked for make room; were one to become frequent, it comes again."""
        kept = self._named | self._frequent(_LEAST_SHARE / 10, 2)
        self._written = {name: written for name, written in self._written.items() if name in kept}
        for publication, counts in self._endings.items():
            self._endings[publication] = Counter({name: count for name, count in counts.items() if name in kept})
        self._limit = max(MOST_ENDINGS, 2 * len(self._written))


def publication_suffixes(titles: Sequence[str], publications: Sequence[str]) -> dict[str, str]:
    """The endings of titles that name who published them, learned from the corpus, as `Endings.suffixes` has them."""
    endings = Endings()
    for title, publication in zip(titles, publications, strict=True):
        endings.count(title, publication)
    return endings.suffixes()


def without_suffix(title: str, suffixes: Container[str]) -> str:
    """A title without the publication names at its end."""
    for _ in range(_MOST_NAMES):
        tail = _tail(title)
        if tail is None or _normal(tail[1]) not in suffixes:
            break
        title = tail[0]
    return title


def _names_at_end(title: str) -> Iterator[str]:
    for _ in range(_MOST_NAMES):
        tail = _tail(title)
        if tail is None:
            return
        title, name = tail
        yield name


def _tail(title: str) -> tuple[str, str] | None:
    """A title parted at its last separator, if a name can follow it; only the end of the title is looked at."""
    start = max(0, len(title) - _MOST_NAME - 10)
    if not _MARK.search(title, start):
        return None
    separators = list(_SEPARATOR.finditer(title, start))
    if not separators:
        return None
    last = separators[-1]
    head, tail = title[: last.start()].strip(), title[last.end() :].strip()
    return (head, tail) if head and 1 < len(tail) <= _MOST_NAME and len(tail.split()) <= _MOST_WORDS else None


def _normal(name: str) -> str:
    words = re.findall(r"[^\W_]+", name.lower())
    return "".join(words[1:] if words[:1] == ["the"] and len(words) > 1 else words)


def _same_name(name: str, publication: str) -> bool:
    bare = re.sub(r"\.(com|org|net|co\.\w\w|\w\w)$", "", publication.lower())
    return bool(publication) and _normal(name) in {_normal(publication), _normal(bare)}


def stop_words(data: Path, *, fetch: bool = True) -> tuple[frozenset[str], str]:
    """English stop words with the name of their list: NLTK's where its data is installed (or can be fetched into
    `data/nltk_data`), else gensim's embedded list.
    """
    import nltk  # slow to load, and needed by this one job

    folder = data / "nltk_data"
    if str(folder) not in nltk.data.path:
        nltk.data.path.append(str(folder))
    words = _nltk_words()
    if words is None and fetch:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(10)  # seconds: a network that swallows packets must not hold up the night
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the report names the list that was used; that is the message
                nltk.download("stopwords", download_dir=str(folder), quiet=True, print_error_to=io.StringIO())
        except Exception:  # whatever a stranger's server answers, the embedded list serves
            words = None
        finally:
            socket.setdefaulttimeout(before)
        words = _nltk_words()
    if words is not None:
        return _with_bare_forms(words), f"NLTK's stopwords ({len(words)} words)"
    from gensim.parsing.preprocessing import STOPWORDS

    return _with_bare_forms(STOPWORDS), f"gensim's STOPWORDS ({len(STOPWORDS)} words; NLTK's list is not installed)"


def _nltk_words() -> list[str] | None:
    import nltk
    from nltk.corpus.reader import WordListCorpusReader

    for place in ("corpora/stopwords", "corpora/stopwords.zip/stopwords/"):
        try:
            return list(WordListCorpusReader(nltk.data.find(place), ["english"]).words("english"))
        except (LookupError, OSError):
            continue
    return None


def _with_bare_forms(words: Iterable[str]) -> frozenset[str]:
    """The list, and what the tokeniser makes of its words (`don't` → `do`, `she'll` → `she`)."""
    given = {word.lower() for word in words}
    return frozenset(given | {_bare(word) for word in given} | COURTESY_TITLES)
