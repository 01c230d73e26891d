"""Last week: its topics as they stand in the store and beside their run, and what of them this week starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gensim.models import LdaModel
from numpy.typing import NDArray
from sqlite_utils import Database

from lib.errors import BadData
from lib.store import rows
from lib.topics.corpus import Corpus, words_of
from lib.topics.kept import Kept, read_kept
from lib.topics.tables import Course, course, next_id

JOB = "model_topics"
FADING = 0.5  # what is left a week later of a word that nobody writes any more
LEAST_LEFT = 1.0  # uses, in all topics together; a word with less is let go
Floats = NDArray[np.float32]
Fading = tuple[NDArray[np.int32], Floats]  # ids of words, and statistics of shape (topics, ids)


@dataclass(frozen=True)
class PastTopic:
    """A topic as last week had it. `words` are those it had when it got its label, the likeliest first."""

    id: int
    column: int
    label: str
    share: float
    share_error: float | None
    since: str
    weeks: int
    labelled: str
    words: list[str]


@dataclass(frozen=True)
class Past:
    """Last week's committed run. `topics` are in the order of the columns of `kept`."""

    run: int
    date: str
    kept: Kept
    topics: list[PastTopic]


@dataclass(frozen=True)
class History:
    """What came before the run of `date`: last week's run where there is one, and the shares of the weeks before it.

    `afresh` says why there is no past where there has been an earlier run, else ""; `next_id` is the first number that
    no topic has had.
    """

    date: str
    past: Past | None
    afresh: str
    next_id: int
    course: Course

    @property
    def topics(self) -> int | None:
        """How many topics there were last week."""
        return len(self.past.topics) if self.past else None


def history_of(db: Database, data: Path, date: str, *, demo: bool) -> History:
    """The history of a run of `date`. What --force replaces, a run of the same date, is no part of it."""
    past, afresh = last_week(db, data, date, demo=demo)
    return History(date, past, afresh, next_id(db, date), course(db, date, demo=demo))


def last_week(db: Database, data: Path, date: str, *, demo: bool) -> tuple[Past | None, str]:
    """The committed run of the latest earlier logical date, and of the same kind; or None and a sentence that says why.

    The sentence is empty where there is no earlier run.
    """
    sql = (
        "SELECT id, date, folder FROM runs "
        "WHERE job = ? AND committed = 1 AND date < ? AND demo = ? ORDER BY date DESC LIMIT 1"
    )
    found = rows(db, sql, JOB, date, int(demo))
    if not found:
        return None, ""
    run, day, folder = found[0]["id"], found[0]["date"], found[0]["folder"]
    topics = _topics(db, run)
    try:
        if folder is None:
            raise BadData("its files were removed")
        if not topics:
            raise BadData("it is of a version that numbered them anew each week")
        kept = read_kept(data / folder)
        if [topic.column for topic in topics] != list(range(len(kept.alpha))):
            raise BadData("its rows and its files don’t belong together")
    except BadData as fault:
        return None, f"The topics of {day} can’t be carried on ({fault}): they start afresh, with new numbers."
    return Past(run, day, kept, topics), ""


def _topics(db: Database, run: int) -> list[PastTopic]:
    """The topics of a run by column; none where its rows are from before topics had columns."""
    sql = (
        'SELECT topic AS id, "column", label, share, share_error, since, weeks, labelled FROM topics '
        'WHERE run = ? AND "column" IS NOT NULL ORDER BY "column"'
    )
    # the words it had when it was labelled; those of its last run where that one was replaced by one without it
    words = (
        "SELECT word FROM topic_words JOIN runs ON runs.id = topic_words.run "
        "WHERE topic = ? AND job = ? AND committed = 1 AND date = ? ORDER BY rank"
    )
    last = "SELECT word FROM topic_words WHERE topic = ? AND run = ? ORDER BY rank"
    return [
        PastTopic(
            **each,
            words=[row["word"] for row in rows(db, words, each["id"], JOB, each["labelled"])]
            or [row["word"] for row in rows(db, last, each["id"], run)],
        )
        for each in rows(db, sql, run)
    ]


def carry_over(before: Floats, words_before: Sequence[str], words_now: Sequence[str], *, topics: int) -> Floats:
    """Last week's statistics as a start for this week's, shape (topics, words now).

    `before` has shape (topics then, words then). A word new this week has nothing from the past. Of more topics than
    `topics` the largest stay, in their order; where there are fewer, the last rows are zeros.
    """
    rows_kept = np.arange(len(before))
    if len(before) > topics:
        rows_kept = np.sort(np.argsort(-before.sum(axis=1), kind="stable")[:topics])
    place = {word: number for number, word in enumerate(words_now)}
    pairs = np.array([(place[w], number) for number, w in enumerate(words_before) if w in place], np.int64)
    start = np.zeros((topics, len(words_now)), np.float32)
    if len(pairs):
        start[: len(rows_kept), pairs[:, 0]] = before[np.ix_(rows_kept, pairs[:, 1])]
    return start


def fading_words(before: Floats, words_before: Sequence[str]) -> list[str]:
    """The words of last week that stay in this week's vocabulary even where nobody writes them.

    Those of which, with FADING, LEAST_LEFT uses are left in all topics together. `before`: statistics (topics, words).
    """
    left = before.sum(axis=0, dtype=np.float64) * FADING
    return [word for word, each in zip(words_before, left.tolist(), strict=True) if each >= LEAST_LEFT]


def fading(trained: Floats, before: Floats | None) -> Fading:
    """What this week still knows of words that it hardly uses: their ids, and statistics of shape (topics, ids).

    Half of what last week had of a word, less what this week has, in the topics where it had it; while that half is
    LEAST_LEFT or more. It isn't added to the model, in which a topic that nobody writes about would seem to go on; the
    next week starts from both. `trained` and `before` have shape (topics, words).
    """
    if before is None:
        return np.empty(0, np.int32), np.empty((len(trained), 0), np.float32)
    now, then = trained.sum(axis=0, dtype=np.float64), before.sum(axis=0, dtype=np.float64)
    left = FADING * then - now
    ids = np.flatnonzero((left > 0) & (FADING * then >= LEAST_LEFT)).astype(np.int32)
    return ids, np.asarray(before[:, ids] * (left[ids] / then[ids]), np.float32)


def carried(history: History, how: str) -> list[str]:
    """The words of last week that a run whose `--start` is `how` keeps in its vocabulary."""
    past = history.past
    return [] if past is None or how == "fresh" else fading_words(past.kept.start, past.kept.words)


def start_of(history: History, how: str, corpus: Corpus, topics: int) -> Floats | None:
    """What the training of a run whose `--start` is `how` begins with, shape (topics, words); None is at random.

    Each word's uses of this week, in the topics as last week had them. So a topic that nobody writes about any more
    starts with next to nothing, and is open to what is new: where it kept last week's uses, the new words would join
    the topics that go on, each of which is as likely to have them.
    """
    carried_on = _carried_on(history, how, corpus, topics)
    if carried_on is None:
        return None
    uses = corpus.uses()
    then = carried_on.sum(axis=0, dtype=np.float64)
    return np.asarray(carried_on * (uses / np.where(then > 0, then, np.inf)), np.float32)


def fading_of(history: History, how: str, corpus: Corpus, model: LdaModel) -> Fading:
    """What is left of last week's words that this week's model hardly uses."""
    return fading(model.state.sstats, _carried_on(history, how, corpus, model.num_topics))


def _carried_on(history: History, how: str, corpus: Corpus, topics: int) -> Floats | None:
    past = history.past
    if past is None or how == "fresh":
        return None
    return carry_over(past.kept.start, past.kept.words, words_of(corpus), topics=topics)
