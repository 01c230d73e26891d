"""Which of this week's topics is which of last week's: distances on the words of both weeks, and each topic's fate.

gensim's `LdaModel.diff` compares topics by the words' places in two dictionaries that need not agree, and divides by
the largest distance it finds; here a word is a word, and a distance means the same every week.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

# What is as far away as this is another topic. Measured on 20,000 news articles of 1987 by week and by month, each
# model (K = 10, 20, 30; six passes) started from the one before: of 260 topics the same column lies at 0.37 (median;
# 95 % below 0.54, 99 % below 0.61, the farthest 0.64, after three months without articles), the nearest other topic at
# 0.81 (median; the nearest of all at 0.59). An even split of one topic into two puts each at 0.56.
CONTINUES = 0.6
# A topic without a match came out of one that is nearer than NEAR, and that it makes up, together with that one's
# continuation, better by GAIN than the continuation does alone. Measured on made topics of 4,000 words and 400 to
# 20,000 uses, one of them parted by its words between 30:70 and 70:30: the part gained 0.07 to 0.45, and lay 0.41 to
# 0.69 away; an unrelated new topic gained −0.20 to −0.04, with each of eleven others.
NEAR, GAIN = 0.8, 0.03
CANDIDATES = 3  # of the topics that are near, so many are tried
MIXTURES = (0.3, 0.5, 0.7)  # parts of the one topic in a mixture of two
BLOCK = 1024  # words at a time: what 50 topics need of them stays in a core's cache
_TINY = 1e-300  # 0 log 0 = 0, without asking for each word
Floats = NDArray[np.float64]


def on_one_vocabulary(
    before: Floats, words_before: Sequence[str], now: Floats, words_now: Sequence[str]
) -> tuple[Floats, Floats, list[str]]:
    """Both weeks' topics over the words of either, and these words: this week's, then those of last week alone.

    `before` has shape (topics, words), with columns by `words_before`, and so for `now`; a word that a week hasn't has
    the probability 0 in it.
    """
    place = {word: number for number, word in enumerate(words_now)}
    columns = np.array([place.setdefault(word, len(place)) for word in words_before], np.int64)
    wide_before, wide_now = np.zeros((len(before), len(place))), np.zeros((len(now), len(place)))
    wide_before[:, columns] = before
    wide_now[:, : len(words_now)] = now
    return wide_before, wide_now, list(place)


def distances(one: Floats, other: Floats) -> Floats:
    """Jensen–Shannon distances between the rows of two matrices over the same words, shape (rows, rows).

    The square root of the divergence in base 2 (Endres & Schindelin 2003): 0 for the same distribution, 1 where no
    word is in both. Rows are taken as proportions. With s = p + q the divergence is
    1 − ½ Σ s log s + ½ (Σ p log p + Σ q log q), so that a pair costs one logarithm a word.
    """
    return _distances(_proportions(one), _proportions(other))


def _distances(one: Floats, other: Floats) -> Floats:
    sums = np.zeros((len(one), len(other)))
    room = np.empty((len(other), BLOCK))
    logs = np.empty_like(room)
    for start in range(0, one.shape[1], BLOCK):
        p = one[:, start : start + BLOCK]
        q = other[:, start : start + BLOCK] + _TINY
        s, log_s = room[:, : q.shape[1]], logs[:, : q.shape[1]]
        for row in range(len(one)):
            np.add(q, p[row], out=s)
            np.log2(s, out=log_s)
            sums[row] += np.vecdot(s, log_s)
    divergence = 1 - 0.5 * sums + 0.5 * (_own(one)[:, None] + _own(other)[None, :])
    return np.sqrt(np.clip(divergence, 0.0, 1.0))


def _proportions(rows: Floats) -> Floats:
    rows = np.ascontiguousarray(rows, np.float64)
    proportions: Floats = rows / np.maximum(rows.sum(axis=1, keepdims=True), _TINY)
    return proportions


def _own(rows: Floats) -> Floats:
    own: Floats = np.vecdot(rows, np.log2(rows + _TINY))
    return own


@dataclass(frozen=True)
class Alignment:
    """What became of the topics, by row. `distances` has shape (topics before, topics now)."""

    distances: Floats
    continued: dict[int, int]  # now: before
    split: dict[int, int]  # now: the one of before that it came out of, and that another continues
    merged: dict[int, int]  # before: the one of now that it went into, and that continues another
    born: list[int]  # now, out of nothing
    died: list[int]  # before, into nothing


def align(before: Floats, now: Floats) -> Alignment:
    """Match this week's topics with last week's; both have the same words in their columns.

    The matching is the one of the least sum of distances (Kuhn 1955, the Hungarian method) where a pair as far apart
    as CONTINUES costs no less than two topics that are alone, and is none.
    """
    before, now = _proportions(before), _proportions(now)
    apart = _distances(before, now)
    pairs = zip(*linear_sum_assignment(np.minimum(apart, CONTINUES)), strict=True)
    now_of = {int(row): int(column) for row, column in pairs if apart[row, column] < CONTINUES}
    now_of |= _made_up(before, now, apart, now_of)
    before_of = {column: row for row, column in now_of.items()}
    before_of |= _made_up(now, before, apart.T, before_of)
    now_of = {row: column for column, row in before_of.items()}
    split = _parts(before, now, apart, now_of)
    merged = _parts(now, before, apart.T, before_of)
    return Alignment(
        distances=apart,
        continued=dict(sorted(before_of.items())),
        split=split,
        merged=merged,
        born=[column for column in range(len(now)) if column not in before_of and column not in split],
        died=[row for row in range(len(before)) if row not in now_of and row not in merged],
    )


def _made_up(wholes: Floats, parts: Floats, apart: Floats, matched: dict[int, int]) -> dict[int, int]:
    """Wholes too far from any one part that two parts make up between them: each with the nearer of the two.

    `matched` has parts by wholes; `apart` has shape (wholes, parts).
    """
    found: dict[int, int] = {}
    for whole in range(len(wholes)):
        free = _near(apart[whole], matched | found)[:2] if whole not in matched else []
        if len(free) == 2 and _mixed(wholes[whole], parts[free[0]], parts[free[1]]) < CONTINUES:
            found[whole] = free[0]
    return found


def _parts(wholes: Floats, parts: Floats, apart: Floats, matched: dict[int, int]) -> dict[int, int]:
    """Parts without a match that with a whole's match make up that whole better than the match does alone, by GAIN.

    The result has wholes by parts.
    """
    found: dict[int, int] = {}
    for part in _near(np.zeros(len(parts)), matched):
        near = [whole for whole in _near(apart[:, part], {}) if whole in matched][:CANDIDATES]
        gains = [apart[w, matched[w]] - _mixed(wholes[w], parts[matched[w]], parts[part]) for w in near]
        if gains and max(gains) >= GAIN:
            found[part] = near[int(np.argmax(gains))]
    return found


def _near(apart: Floats, matched: dict[int, int]) -> list[int]:
    """The places that are nearer than NEAR and that nothing is matched with, the nearest first."""
    taken = set(matched.values())
    return [place for place in np.argsort(apart, kind="stable").tolist() if apart[place] < NEAR and place not in taken]


def _mixed(whole: Floats, one: Floats, other: Floats) -> float:
    """How near to `whole` a mixture of two others comes, tried in steps."""
    mixtures = np.stack([other + share * (one - other) for share in MIXTURES])
    return float(_distances(whole[None, :], mixtures).min())
