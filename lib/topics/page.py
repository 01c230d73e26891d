"""What the page of the weekly topics shows, finished, and the tables that lie beside it."""

from dataclasses import dataclass
from typing import Any

from lib.charts import shortened
from lib.topics import figures
from lib.topics.corpus import Corpus
from lib.topics.figures import NAME_CHARACTERS
from lib.topics.relevance import SHOWN_FIRST, STEPS
from lib.topics.summary import HEADLINE_CHARACTERS, SHOWN, Summary, Topic

LINES = 100  # topics without a card that have a line
ADDRESS_CHARACTERS = 500  # a longer address is nobody's article, and a page has a hundred headlines
SUFFIXES = 20


@dataclass(frozen=True)
class Headline:
    """An article that is about a topic and little else; `weight` is the topic's part of its words."""

    title: str
    url: str | None
    publication: str
    date: str | None
    weight: float


def finished(summary: Summary, corpus: Corpus, *, new: int, first_time: bool) -> dict[str, Any]:
    """What the page shows. `new` articles are in no earlier run."""
    shown, others = summary.topics[:SHOWN], summary.topics[SHOWN:]
    suffixes = list(corpus.suffixes.values())
    return {
        "summary": summary,
        "corpus": corpus,
        "tables": {name: rows for name, rows in data_tables(summary).items() if rows},
        "new": new,
        "first_time": first_time,
        "topics": [(topic, _headlines(topic), figures.word_bars(topic)) for topic in shown],
        "others": others[:LINES],
        "beyond": len(others[LINES:]),
        "steps": [f"{lam:g}" for lam in STEPS],
        "shown_first": f"{SHOWN_FIRST:g}",
        "suffixes": ", ".join(suffixes[:SUFFIXES]) + (", …" if len(suffixes) > SUFFIXES else ""),
        "charts": {
            "map": figures.distance_map(summary),
            "publications": figures.publication_heat(summary),
            "time": figures.over_time(summary),
        },
    }


def _headlines(topic: Topic) -> list[Headline]:
    return [
        Headline(
            shortened(title, HEADLINE_CHARACTERS),
            article.url if len(article.url) <= ADDRESS_CHARACTERS else None,
            shortened(article.publication, NAME_CHARACTERS),
            article.date,
            weight,
        )
        for article, title, weight in topic.headlines
    ]


def data_tables(summary: Summary) -> dict[str, list[dict[str, Any]]]:
    """The topics, their words by λ, and their shares by publication and over time, as tables to lie beside the page."""
    ids = [topic.id for topic in summary.topics]
    return {
        "topics": [
            {
                "topic": topic.id,
                "label": topic.label,
                "share": topic.share,
                "npmi": topic.npmi,
                "x": topic.x,
                "y": topic.y,
            }
            for topic in summary.topics
        ],
        "topic_words": [
            {"topic": topic.id, "rank": rank, "word": word, "probability": probability}
            for topic in summary.topics
            for rank, (word, probability) in enumerate(topic.words, start=1)
        ],
        "relevant_words": [
            {"topic": topic.id, "lambda": lam, "rank": rank, "word": each.word, "uses": each.uses}
            | {"uses_in_topic": round(each.inside, 1)}
            for topic in summary.topics
            for lam, words in zip(STEPS, topic.relevant, strict=False)
            for rank, each in enumerate(words, start=1)
        ],
        "publications": [
            {"publication": name, "articles": count, "topic": id, "share": share}
            for name, count, shares in summary.publications
            for id, share in zip(ids, shares, strict=True)
        ],
        "periods": [
            {summary.period: name, "articles": count, "topic": id, "share": share}
            for name, count, shares in summary.periods
            for id, share in zip(ids, shares, strict=True)
        ],
    }
