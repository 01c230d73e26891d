"""What tests of the topics share: corpora, articles and summaries made on the spot, and what strangers may write."""

from collections.abc import Sequence
from datetime import date as day_of
from datetime import timedelta

import numpy as np
from gensim.corpora import Dictionary

from lib.topics.articles import Article
from lib.topics.corpus import Corpus
from lib.topics.history import History, Past, PastTopic
from lib.topics.kept import Kept
from lib.topics.relevance import STEPS, RelevantWord
from lib.topics.summary import Summary, Topic
from lib.topics.tables import Course
from lib.topics.tracking import Change, Drift, Gone, Tracked, Weeks

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": '"\' onmouseover=alert(1) x="',
    "attribute": ' class="x aria-label="y role="z',
    "image": "<img src=x onerror=alert(1)>",
    "svg island": "<svg><desc></title></desc><style><img src=x onerror=alert(1)></style></svg>",
    "mathml island": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1&gt;'>",
    "closing tags": "</text></svg></title></style></script><iframe src=//evil.example>",
    "comment": "<!-- --!> <![CDATA[ ]]> <?php ?>",
    "entity": "&lt;b&gt; &amp; &#60;script&#62;",
    "template": "{{ 7 * 7 }}{% raw %}",
    "right to left": "\u202egnp.exe\u2066\u200f",
    "long": "w" * 10_000,
    "emoji": "👩🏽\u200d🚀🏴",
    "control": "a\x00b\x07c\x1bd\x7fe\x85f\ufffe",
    "half a pair": "a\ud800b",
    "number": "3.14159265358979",
}


def advance(count: int) -> None:
    """Progress that nobody watches."""


def article(number: int, **what: object) -> Article:
    """An article with an id of its own, and whatever else is given."""
    values: dict[str, object] = {
        "id": f"{number:016x}",
        "title": f"Title {number}",
        "content": "",
        "publication": "Paper",
        "date": None,
        "url": f"https://example.org/{number}",
        "file": "made.csv",
        "line": number + 2,
        **what,
    }
    return Article(**values)  # type: ignore[arg-type]


def made_corpus(
    texts: Sequence[Sequence[str]],
    articles: Sequence[Article] | None = None,
    held_out: Sequence[int] = (),
    suffixes: dict[str, str] | None = None,
) -> Corpus:
    """A corpus of these lists of words, every word in it."""
    dictionary = Dictionary([list(text) for text in texts])
    bags = [sorted(dictionary.doc2bow(list(text))) for text in texts]
    kept = np.zeros(len(texts), bool)
    kept[list(held_out)] = True
    return Corpus(
        articles=list(articles) if articles else [article(d) for d in range(len(texts))],
        dictionary=dictionary,
        indptr=np.concatenate([[0], np.cumsum([len(bag) for bag in bags])]).astype(np.int64),
        ids=np.array([word for bag in bags for word, _ in bag], np.int32),
        counts=np.array([count for bag in bags for _, count in bag], np.int32),
        held_out=kept,
        phrases=0,
        suffixes=suffixes or {},
    )


PLANTED = (
    ("ship", "harbour", "anchor", "sail", "tide", "mast", "captain", "deck"),
    ("oven", "flour", "butter", "sugar", "dough", "bake", "salt", "yeast"),
    ("goal", "striker", "referee", "league", "pitch", "coach", "penalty", "keeper"),
)


def planted_texts(articles: int = 120, words: int = 30, seed: int = 0) -> list[list[str]]:
    """Articles of one of three vocabularies each, in turn."""
    random = np.random.default_rng(seed)
    return [random.choice(PLANTED[d % 3], words).tolist() for d in range(articles)]


def random_texts(seed: int, articles: int = 40, vocabulary: int = 25, longest: int = 30) -> list[list[str]]:
    """Articles of random words, some of them empty."""
    random = np.random.default_rng(seed)
    return [
        [f"w{word}" for word in random.integers(0, vocabulary, random.integers(0, longest))] for _ in range(articles)
    ]


def made_topic(id: int, words: Sequence[str] = ("ship", "sail", "tide"), **what: object) -> Topic:
    """A topic of these words."""
    values: dict[str, object] = {
        "id": id,
        "column": id,
        "label": ", ".join(words[:3]),
        "words": [(word, round(0.2 / (rank + 1), 6)) for rank, word in enumerate(words)],
        "share": 0.5,
        "npmi": 0.1,
        "headlines": [],
        "x": float(id),
        "y": -0.5,
        "relevant": [[RelevantWord(word, 90 - rank, 100 + rank) for rank, word in enumerate(words)] for _ in STEPS],
        **what,
    }
    return Topic(**values)  # type: ignore[arg-type]


def made_weeks(summary: Summary, *, before: int = 0, date: str = "2026-07-05", afresh: str = "") -> Weeks:
    """The topics of a summary after so many weeks; the last topic is new in the last of them, and one is gone."""
    new = summary.topics[-1].id if before else None
    going = [topic for topic in summary.topics if topic.id != new]
    days = [str(day_of.fromisoformat(date) - timedelta(weeks=week)) for week in range(before, 0, -1)]
    lost = PastTopic(GONE, len(going), "net, boat", 0.1, 0.01, days[0], before, days[0], ["net"]) if before else None
    past = Past(6, days[-1], kept_of(len(going) + 1), [*map(_past_topic, going), lost]) if lost else None
    labels = {topic.id: topic.label for topic in going} | ({GONE: "net, boat"} if before else {})
    shares = {topic.id: topic.share * 0.9 for topic in going} | {GONE: 0.1}
    history = History(date, past, afresh, 10_000, Course([(day, shares) for day in days], labels))
    tracked = [
        Tracked(
            topic.id,
            topic.column,
            "continued" if before and topic.id != new else "born",
            topic.label,
            days[0] if before and topic.id != new else date,
            before + 1 if topic.id != new else 1,
            date,
            topic.share,
            0.01,
            distance=0.3 if before else None,
            before=topic.share * 0.9 if before and topic.id != new else None,
            change=Change(0.02, 0.01, 0.03) if before and topic.id != new else None,
            gained=tuple(Drift(word, 0.01, 0.02) for word, _ in topic.words[:5]) if before else (),
            lost=tuple(Drift(word, 0.02, 0.01) for word, _ in topic.words[5:]) if before else (),
        )
        for topic in summary.topics
    ]
    gone = [Gone(GONE, "died", lost.label, lost.since, before, 0.1, 0.8)] if lost else []
    return Weeks({each.id: each for each in tracked}, gone, history)


GONE = 9_999


def _past_topic(topic: Topic) -> PastTopic:
    words = [word for word, _ in topic.words]
    return PastTopic(topic.id, topic.column, topic.label, topic.share * 0.9, 0.01, "2026-06-28", 1, "2026-06-28", words)


def kept_of(topics: int, words: Sequence[str] = ("ship", "sail", "tide")) -> Kept:
    """A model's numbers of last week, every topic the same."""
    ones = np.ones((topics, len(words)), np.float32)
    none = np.empty(0, np.int32), np.empty((topics, 0), np.float32)
    return Kept(ones, ones[:, 0], ones[0], *none, words=list(words))


def made_summary(topics: Sequence[Topic], publications: Sequence[str] = ("Paper",), periods: int = 2) -> Summary:
    """A summary of these topics, every share the same."""
    shares = [1 / len(topics)] * len(topics)
    return Summary(
        topics=list(topics),
        coherence=0.1,
        bound=-7.5,
        training=19,
        held_out=1,
        publications=[(name, 10, shares) for name in publications],
        periods=[(f"2024-{month + 1:02d}", 5, shares) for month in range(periods)],
        period="month",
        dated=5 * periods,
    )
