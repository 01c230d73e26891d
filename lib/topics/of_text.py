"""What a text is about, by a model of topics: their shares, and the words that say so.

told = topics_of_text(model, text, stop)
told.topics[0].share, told.topics[0].words
"""

import codecs
import os
import stat
import sys
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import LdaModel
from scipy.special import psi

from lib.errors import BadData
from lib.logs import printable
from lib.topics.joining import joined, phrases_of
from lib.topics.text import BREAK, tokenise

STDIN = "-"
MOST_BYTES = 1 << 26  # some ten million words; nobody's text, and an endless device ends there
MOST_CONTROLS = 0.1  # of a text's bytes: more of them are in what is no text
MIN_SHARE = 0.01  # topics up to this are not told
MOST_WORDS = 20  # a topic, as JSON
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"


@dataclass(frozen=True)
class Saying:
    """A word that says something of a topic: how often the text has it, and how many of those uses are the topic's."""

    word: str
    count: int
    uses: float


@dataclass(frozen=True)
class TextTopic:
    """A topic of a text: its column in the model, its share of the text, its words, those that say most first."""

    column: int
    share: float
    words: list[Saying]


@dataclass(frozen=True)
class Told:
    """The topics of a text of more than MIN_SHARE, the largest first. `words` are those that are no stop words."""

    words: int
    known: int  # of the words, in the model's vocabulary
    topics: list[TextTopic]
    others: int  # topics that are not told

    @property
    def unknown(self) -> float:
        """The share of the words that the model doesn't know."""
        return 1 - self.known / self.words if self.words else 0.0


def topics_of_text(model: LdaModel, text: str, stop: Container[str]) -> Told:
    """The topics of a text, and the words that say so.

    A word w's uses are parted among the topics k by φ, which is proportional to exp(E log θ_k) · exp(E log β_kw)
    (Hoffman, Blei & Bach 2010, Online learning for latent Dirichlet allocation, eq. 4).
    Raises BadData where the model knows none of its words.
    """
    ids = {word: id for id, word in model.id2word.items()}
    words = [
        word for word in joined(tokenise(text), phrases_of(ids)) if word != BREAK and len(word) > 1 and word not in stop
    ]
    counts = Counter(word for word in words if word in ids)
    if not counts:
        what = f"none of its {len(words):,} words is one that the model knows" if words else "it has no words"
        raise BadData(f"{what}; expected a text of the kind that the articles were")
    bag = sorted((ids[word], count) for word, count in counts.items())
    gamma = np.asarray(model.inference([bag])[0][0], np.float64)
    theta = gamma / gamma.sum()
    columns = [id for id, _ in bag]
    phi = np.exp(psi(gamma) - psi(gamma.sum()))[:, None] * model.expElogbeta[:, columns].astype(np.float64)
    uses = phi / np.maximum(phi.sum(axis=0), 1e-300) * np.array([count for _, count in bag])
    topics = [
        TextTopic(
            k,
            float(theta[k]),
            [
                Saying(model.id2word[bag[place][0]], bag[place][1], float(uses[k, place]))
                for place in np.argsort(-uses[k], kind="stable").tolist()
            ],
        )
        for k in np.argsort(-theta, kind="stable").tolist()
        if theta[k] > MIN_SHARE
    ]
    return Told(len(words), sum(counts.values()), topics, len(theta) - len(topics))


def told_json(told: Told, topics: Mapping[int, tuple[int, str]]) -> dict[str, Any]:
    """What is told of a text as `--json` shows it; `topics` has each column's stable id and label."""
    return {
        "words": told.words,
        "unknown": round(told.unknown, 4),
        "topics": [
            {
                "id": topics[each.column][0],
                "label": topics[each.column][1],
                "share": round(each.share, 4),
                "words": [
                    {"word": word.word, "count": word.count, "uses": round(word.uses, 3)}
                    for word in each.words[:MOST_WORDS]
                ],
            }
            for each in told.topics
        ],
        "others": told.others,
    }


def read_text(path: Path) -> str:
    """The text in a file, or on standard input where the path is `-`: UTF-8, else UTF-16 by its mark, else cp1252.

    Raises BadData: not there, a folder, empty, more than MOST_BYTES, no text.
    """
    name = printable(str(path))
    try:
        if str(path) == STDIN:
            name = "standard input"
            raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            if stat.S_ISDIR(path.stat().st_mode):
                raise BadData(f"can't read {name}: it is a folder, and no text")
            with path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
    except OSError as fault:
        reason = "it is not there" if isinstance(fault, FileNotFoundError) else os.strerror(fault.errno or 0)
        raise BadData(f"can't read {name}: {reason}") from fault
    except ValueError as fault:  # a NUL in the name
        raise BadData(f"can't read {name}: no file has such a name") from fault
    if len(raw) > MOST_BYTES:
        raise BadData(f"can't read {name}: it has more than {MOST_BYTES >> 20} MiB; give it in parts")
    text = _decoded(raw)
    if text is None:
        raise BadData(f"can't read {name}: it is no text")
    if not text.strip():
        raise BadData(f"can't read {name}: it is empty")
    return text


def _decoded(raw: bytes) -> str | None:
    """The bytes as text, or None where they are none."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw or len(raw) - len(raw.translate(None, _CONTROLS)) > MOST_CONTROLS * len(raw):
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
