"""What a model is worth beyond its coherence: whether its topics are found again, and which articles fit none."""

from dataclasses import dataclass

import numpy as np

from lib.machine import cores
from lib.progress import Advance
from lib.topics.choose import Choice
from lib.topics.corpus import Corpus
from lib.topics.lda import Lda
from lib.topics.misfits import Misfits, misfits
from lib.topics.model import training_articles
from lib.topics.stability import DRAWS, effort, stability


@dataclass(frozen=True)
class Judgement:
    """`stability` by the model's column, 0 to 1: the part of a topic's ten words that `draws` draws have again."""

    stability: list[float]
    misfits: Misfits
    choice: Choice
    draws: int = DRAWS

    @property
    def mean_stability(self) -> float:
        """Over the topics."""
        return round(float(np.mean(self.stability)), 6)


def judging(corpus: Corpus) -> int:
    """How many articles `judge` will sweep over, for the progress."""
    return effort(len(training_articles(corpus)))


def judge(model: Lda, corpus: Corpus, choice: Choice, *, seed: int, advance: Advance) -> Judgement:
    """Draw the training articles anew a few times, and look at every article."""
    training = np.array(training_articles(corpus))
    found = stability(corpus, training, model.get_topics(), seed=seed, threads=cores(), advance=advance)
    return Judgement([round(float(each), 6) for each in found], misfits(model, corpus), choice)
