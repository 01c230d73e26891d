"""What the page of the weekly topics shows, finished, and the tables that lie beside it."""

from dataclasses import dataclass, replace
from statistics import NormalDist, median
from typing import Any

from lib.charts import shortened
from lib.topics import figures, judgement_figures, week_figures
from lib.topics.alignment import CONTINUES
from lib.topics.articles import Article
from lib.topics.choose import ARTICLES, HALVES
from lib.topics.corpus import Corpus
from lib.topics.figures import LABEL_CHARACTERS, NAME_CHARACTERS
from lib.topics.judgement import Judgement
from lib.topics.relevance import SHOWN_FIRST, STEPS
from lib.topics.stability import ARTICLES as DRAWN
from lib.topics.summary import HEADLINE_CHARACTERS, SHOWN, Summary, Topic
from lib.topics.text import without_suffix
from lib.topics.tracking import LEVEL, Gone, Tracked, Weeks

LINES = 100  # topics without a card that have a line
ADDRESS_CHARACTERS = 500  # a longer address is nobody's article, and a page has a hundred headlines
SUFFIXES = 20
LINES_OF_NEWS = 24  # births and deaths beyond are in the table of events


@dataclass(frozen=True)
class Headline:
    """An article that is about a topic and little else; `weight` is the topic's part of its words."""

    title: str
    url: str | None
    publication: str
    date: str | None
    weight: float


@dataclass(frozen=True)
class News:
    """What became of a topic since last week: its own line on the page. `shown` are topics that have a card."""

    fate: str
    id: int
    label: str
    share: float
    weeks: int
    shown: bool
    other: int | None = None
    other_label: str = ""


def finished(
    summary: Summary, corpus: Corpus, weeks: Weeks, judged: Judgement, *, new: int, first_time: bool
) -> dict[str, Any]:
    """What the page shows. `new` articles are in no earlier run."""
    shown, others = summary.topics[:SHOWN], summary.topics[SHOWN:]
    news = _news(weeks, {topic.id for topic in shown})
    suffixes = list(corpus.suffixes.values())
    return {
        "summary": summary,
        "corpus": corpus,
        "tables": {name: rows for name, rows in data_tables(summary, weeks).items() if rows},
        "weeks": weeks,
        "news": news[:LINES_OF_NEWS],
        "more_news": len(news[LINES_OF_NEWS:]),
        "judged": judged,
        "drawn": DRAWN,
        "halves": HALVES,
        "half": ARTICLES,
        "misfits": _misfits(corpus, judged),
        "stable": stability(weeks),
        "continues": CONTINUES,
        "new": new,
        "first_time": first_time,
        "topics": [(topic, _headlines(topic), figures.word_bars(topic)) for topic in shown],
        "tracked": {topic.id: _tracked(weeks.topics[topic.id]) for topic in shown},
        "others": others[:LINES],
        "beyond": len(others[LINES:]),
        "steps": [f"{lam:g}" for lam in STEPS],
        "shown_first": f"{SHOWN_FIRST:g}",
        "suffixes": ", ".join(suffixes[:SUFFIXES]) + (", …" if len(suffixes) > SUFFIXES else ""),
        "charts": {
            "map": figures.distance_map(summary),
            "publications": figures.publication_heat(summary),
            "time": figures.over_time(summary),
            "streams": week_figures.streams(weeks),
            "changes": week_figures.changes(weeks),
            "numbers": judgement_figures.numbers(judged.choice),
        },
    }


def _news(weeks: Weeks, shown: set[int]) -> list[News]:
    """Births, splits, merges and deaths, in this order, the largest topics first; none where there is no past."""
    past = weeks.history.past
    if past is None:
        return []
    labels = {each.id: each.label for each in past.topics} | {id: each.label for id, each in weeks.topics.items()}
    order = ("born", "split", "merged", "died")
    events: list[Tracked | Gone] = sorted([*weeks.topics.values(), *weeks.gone], key=lambda each: -each.share)
    return [
        News(
            *(fate, each.id, each.label, each.share, each.weeks, each.id in shown),
            other=each.other,
            other_label="" if each.other is None else labels.get(each.other, ""),
        )
        for fate in order
        for each in events
        if each.fate == fate
    ]


@dataclass(frozen=True)
class Stability:
    """How many of last week's topics go on, and how far from themselves they are: the median of the distances."""

    going: int
    before: int
    distance: float | None


def stability(weeks: Weeks) -> Stability | None:
    """How stable the topics as a whole are since last week; None where there is none."""
    if weeks.history.past is None:
        return None
    apart = [each.distance for each in weeks.topics.values() if each.fate == "continued" and each.distance is not None]
    return Stability(len(apart), len(weeks.history.past.topics), median(apart) if apart else None)


def _tracked(topic: Tracked) -> dict[str, Any]:
    """What a topic's card says of its weeks. `reach` is half the width of its share's interval."""
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * topic.share_error
    return {
        "fate": topic.fate,
        "since": topic.since,
        "week": ordinal(topic.weeks),
        "reach": reach,
        "other": topic.other,
        "way": topic.change.way if topic.change else "",
        "drift": [
            (way, [replace(each, word=shortened(each.word.replace("_", " "), LABEL_CHARACTERS)) for each in words])
            for way, words in (("More", topic.gained), ("Less", topic.lost))
            if words
        ],
    }


def ordinal(number: int) -> str:
    """1 → 1st, 12 → 12th, 22 → 22nd."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _headlines(topic: Topic) -> list[Headline]:
    return [_headline(article, title, weight) for article, title, weight in topic.headlines]


def _headline(article: Article, title: str, weight: float) -> Headline:
    return Headline(
        shortened(title, HEADLINE_CHARACTERS),
        article.url if len(article.url) <= ADDRESS_CHARACTERS else None,
        shortened(article.publication, NAME_CHARACTERS),
        article.date,
        weight,
    )


def _misfits(corpus: Corpus, judged: Judgement) -> list[Headline]:
    """The articles that fit least; `weight` is how much likelier their words were than by plain frequencies."""
    found = [(corpus.articles[d], gain) for d, gain in judged.misfits.articles]
    titles = [without_suffix(article.title, corpus.suffixes) or "(no title)" for article, _ in found]
    return [_headline(article, title, gain) for (article, gain), title in zip(found, titles, strict=True)]


def data_tables(summary: Summary, weeks: Weeks) -> dict[str, list[dict[str, Any]]]:
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
                "stability": topic.stability,
                **weeks.row(topic.id),
                **_change(weeks.topics[topic.id]),
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
        "topic_weeks": [
            {"run_of": day, "topic": id, "share": share}
            for day, shares in [*weeks.history.course.weeks, (weeks.history.date, weeks.shares)]
            for id, share in shares.items()
        ],
        "topic_events": [
            {name: each[name] for name in ("topic", "event", "other", "distance")} for each in weeks.events()
        ],
        "drift": [
            {"topic": id, "word": each.word, "before": each.before, "now": each.now}
            for id, topic in weeks.topics.items()
            for each in (*topic.gained, *topic.lost)
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


def _change(topic: Tracked) -> dict[str, float | None]:
    its = topic.change
    return {
        "share_before": topic.before,
        "change": round(its.difference, 6) if its else None,
        "change_low": round(its.low, 6) if its else None,
        "change_high": round(its.high, 6) if its else None,
    }
