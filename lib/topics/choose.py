"""How many topics: as many as are coherent and found again, by trying several numbers.

For each K a few samples of half the articles are drawn, and topics found in each from nothing. A number is the better,
the more coherent its topics are (NPMI over the training articles) and the more of their words the halves agree on. The
two count the same: each goes from 0 for the worst number to 1 for the best, and the score is their mean. Last week's
number stays unless another is better by more than a standard error, so that it doesn't change by chance.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lib.machine import cores
from lib.progress import Advance, nothing
from lib.topics.corpus import Corpus
from lib.topics.model import training_articles
from lib.topics.quality import npmi, top_words
from lib.topics.rows import taken
from lib.topics.sampling import sample_topics
from lib.topics.stability import matched

Number = int | Literal["auto"]

NUMBERS = (5, 7, 10, 14, 20, 28, 40)  # by about the square root of two
LEAST_ARTICLES = 15  # a topic
HALVES = 3
ARTICLES = 4_000  # a half, at most
SWEEPS = 60


@dataclass(frozen=True)
class Trial:
    """One number of topics, by half: the mean coherence of its topics, and the mean part of words found again."""

    topics: int
    coherences: list[float]
    stabilities: list[float]

    @property
    def coherence(self) -> float:
        """Over the halves."""
        return float(np.mean(self.coherences))

    @property
    def stability(self) -> float:
        """Over the halves."""
        return float(np.mean(self.stabilities))


@dataclass(frozen=True)
class Choice:
    """The number taken, and all that were tried, ascending, with each one's score and its standard error."""

    topics: int
    trials: list[Trial]
    scores: list[tuple[float, float]]


def numbers_for(topics: Number, corpus: Corpus, last: int | None) -> list[int]:
    """The numbers worth trying on these articles, last week's among them; the one that is given where one is."""
    if topics != "auto":
        return [topics]
    articles = len(training_articles(corpus))
    fitting = [each for each in NUMBERS if each * LEAST_ARTICLES <= articles] or [min(NUMBERS[0], articles)]
    return sorted({*fitting, *([last] if last else [])})


def trying(corpus: Corpus, numbers: list[int]) -> int:
    """How many articles `choose_topics` will sweep over, for the progress."""
    return HALVES * SWEEPS * _half(len(training_articles(corpus))) * (len(numbers) if len(numbers) > 1 else 0)


def _half(articles: int) -> int:
    return min(ARTICLES, max(1, articles // 2))


def choose_topics(
    corpus: Corpus,
    numbers: list[int],
    *,
    last: int | None,
    seed: int,
    threads: int | None = None,
    advance: Advance = nothing,
) -> Choice:
    """Try each of `numbers` and take one; nothing is tried where there is one. Held-out articles play no part."""
    if len(numbers) == 1:
        return Choice(numbers[0], [], [])
    training = np.array(training_articles(corpus))
    threads = threads or cores()
    trials = [_tried(corpus, training, number, seed, threads, advance) for number in numbers]
    scores = _scores(trials)
    best, error = max(scores)
    near = [each.topics for each, (score, _) in zip(trials, scores, strict=True) if score >= best - error]
    first = trials[scores.index((best, error))].topics
    return Choice(last if last in near else first, trials, scores)


def _scores(trials: list[Trial]) -> list[tuple[float, float]]:
    by_half = np.zeros((len(trials), HALVES))
    for values in ([each.coherences for each in trials], [each.stabilities for each in trials]):
        means = np.mean(values, axis=1)
        span = float(np.ptp(means))
        by_half += (np.array(values) - means.min()) / span / 2 if span > 0 else 0.5
    errors = by_half.std(axis=1, ddof=1) / np.sqrt(HALVES)
    return [(float(score), float(error)) for score, error in zip(by_half.mean(axis=1), errors, strict=True)]


def _tried(
    corpus: Corpus,
    training: NDArray[np.int64],
    topics: int,
    seed: int,
    threads: int,
    advance: Advance,
) -> Trial:
    size = _half(len(training))
    coherence, words = [], []
    for half in range(HALVES):
        rows = np.random.default_rng((seed, half)).choice(training, size, replace=False)  # the same for every number
        sample = sample_topics(
            taken(corpus, rows),
            len(corpus.dictionary),
            topics,
            sweeps=SWEEPS,
            seed=seed * 100 + half,
            threads=threads,
            advance=advance,
        )
        words.append(top_words(sample.counts))
        coherence.append(float(npmi(corpus, training.tolist(), words[-1]).mean()))
    agreement = np.zeros((HALVES, HALVES))
    for a, b in combinations(range(HALVES), 2):
        agreement[a, b] = agreement[b, a] = matched(words[a], words[b]).mean()
    return Trial(topics, coherence, (agreement.sum(axis=1) / (HALVES - 1)).tolist())
