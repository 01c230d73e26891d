"""How the weekly topics become charts. A topic's marks have the class `tN`, by which a page can make them stand out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from lib.charts import ACCENT, INK, SERIES, Figure, apart, figure, of_rows, shortened, tip
from lib.topics.relevance import STEPS, RelevantWord
from lib.topics.summary import SHOWN, Summary, Topic

LABEL_CHARACTERS = 34
NAME_CHARACTERS = 60  # of a publication, in sentences and tables
_CELL = 26  # pixels, the height of a heat map's row


@dataclass(frozen=True)
class Bar:
    """A word's bar: `inside` of its `uses` in the corpus are the topic's; the widths are in hundredths of the room."""

    word: str
    inside: int
    uses: int
    inside_width: float
    uses_width: float


def word_bars(topic: Topic) -> list[tuple[str, list[Bar]]]:
    """A topic's ten words for each step of λ, the step as it is written; each step has a scale of its own."""
    return [(f"{lam:g}", _bars(words)) for lam, words in zip(STEPS, topic.relevant, strict=True)]


def _bars(words: Sequence[RelevantWord]) -> list[Bar]:
    longest = max((word.uses for word in words), default=0) or 1
    return [
        Bar(
            shortened(word.word.replace("_", " "), LABEL_CHARACTERS),
            round(word.inside),
            word.uses,
            round(100 * word.inside / longest, 1),
            round(100 * word.uses / longest, 1),
        )
        for word in words
    ]


def _name(topic: Topic) -> str:
    return f"{topic.id} · {shortened(topic.label, LABEL_CHARACTERS)}"


def _tip(topic: Topic, text: str) -> str:
    return tip(f"{shortened(topic.label, 2 * LABEL_CHARACTERS)}: {text}", f"t t{topic.id}")


def distance_map(summary: Summary) -> Figure:
    """Topics as circles: near each other where their words are alike, as large as their share of the words."""
    topics = summary.topics[:SHOWN]
    rows: list[dict[str, Any]] = [
        {
            "x": topic.x,
            "y": topic.y,
            "share": topic.share,
            "id": str(topic.id),
            "label": shortened(topic.label.split(",")[0], 24),
            "tip": _tip(topic, f"{topic.share:.1%} of the words"),
            "plain": tip("", f"t t{topic.id}"),
        }
        for topic in topics
    ]
    reach = max((max(abs(row["x"]), abs(row["y"])) for row in rows), default=0.0) * 1.25 or 1.0
    plane = alt.Axis(labels=False, ticks=False, domain=False, title=None, values=[0])
    base = of_rows(rows).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[-reach, reach]), axis=plane),
        y=alt.Y("y:Q", scale=alt.Scale(domain=[-reach, reach]), axis=plane),
    )
    circles = base.mark_circle(fill=ACCENT, fillOpacity=0.25, stroke=ACCENT, opacity=1).encode(
        size=alt.Size("share:Q", scale=alt.Scale(range=[60, 3600], domainMin=0), legend=None),
        href="tip:N",
    )
    numbers = base.mark_text(fontWeight="bold", baseline="bottom").encode(text="id:N", href="plain:N")
    names = base.mark_text(baseline="top", fontSize=10).encode(text="label:N", href="plain:N")
    chart = alt.layer(circles, numbers, names).properties(width=760, height=460)
    return figure(
        chart,
        "Map of the topics",
        _nearest(topics),
        ("topic", "label", "share", "x", "y"),
        [(topic.id, topic.label, f"{topic.share:.1%}", round(topic.x, 3), round(topic.y, 3)) for topic in topics],
    )


def _nearest(topics: Sequence[Topic]) -> str:
    pairs = [
        ((one.x - other.x) ** 2 + (one.y - other.y) ** 2, one, other)
        for place, one in enumerate(topics)
        for other in topics[place + 1 :]
    ]
    if not pairs:
        return "There is one topic, and nothing to compare it with."
    _, one, other = min(pairs, key=lambda pair: pair[0])
    return f"The two nearest topics are {one.id} ({one.label}) and {other.id} ({other.label})."


def publication_heat(summary: Summary) -> Figure:
    """Topics by publication: each row is what a publication's words are about."""
    topics = summary.topics[:SHOWN]
    labels = apart(f"{shortened(name, 26)} ({count:,})" for name, count, _ in summary.publications)
    rows: list[dict[str, Any]] = [
        {
            "publication": label,
            "topic": _name(topic),
            "share": share,
            "tip": tip(f"Topic {topic.id}: {share:.1%}", f"t t{topic.id}"),
            "plain": tip("", f"t t{topic.id}"),
        }
        for label, (_, _, shares) in zip(labels, summary.publications, strict=True)
        for topic, share in zip(topics, shares, strict=False)
    ]
    deepest = max([0.3, *(row["share"] for row in rows)])
    base = of_rows(rows).encode(
        x=alt.X(
            "topic:N",
            sort=None,
            title=None,
            axis=alt.Axis(orient="top", labelAngle=-40, labelAlign="left", domain=False, ticks=False, labelColor=INK),
        ),
        y=alt.Y("publication:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelColor=INK)),
    )
    heat = base.mark_rect(fill=ACCENT, stroke="var(--paper)", strokeWidth=2).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, deepest], range=[0.02, 0.75]), legend=None),
        href="tip:N",
    )
    text = (
        base.transform_filter("datum.share >= 0.005")
        .mark_text()
        .encode(text=alt.Text("share:Q", format=".0%"), href="plain:N")
    )
    width = max(46 * len(topics), 120)
    chart = alt.layer(heat, text).properties(width=width, height=_CELL * len(labels))
    name, share, topic = max(
        (
            (name, share, topic)
            for name, _, shares in summary.publications
            for topic, share in zip(topics, shares, strict=False)
        ),
        key=lambda each: each[1],
    )
    return figure(
        chart,
        "Topics by publication",
        f"The most one-sided: {share:.0%} of the words in {shortened(name, NAME_CHARACTERS)} belong to topic "
        f"{topic.id} ({topic.label}).",
        ("publication", "articles", *(f"topic {topic.id}" for topic in topics)),
        [
            (shortened(name, NAME_CHARACTERS), count, *(f"{share:.1%}" for share in shares[: len(topics)]))
            for name, count, shares in summary.publications
        ],
    )


def over_time(summary: Summary) -> Figure | None:
    """Topics over time, a small panel a topic on one scale; nothing where fewer than two periods are dated."""
    if len(summary.periods) < 2:
        return None
    topics = summary.topics[:SHOWN]
    names = [name for name, _, _ in summary.periods]
    peaks = [max(range(len(names)), key=lambda place: summary.periods[place][2][t]) for t in range(len(topics))]
    rows: list[dict[str, Any]] = [
        {
            "period": place,
            "share": share,
            "topic": _name(topic),
            "tip": _tip(topic, f"most in {names[peak]}, {summary.periods[peak][2][t]:.1%} of the words"),
        }
        for place, (_, _, shares) in enumerate(summary.periods)
        for t, (topic, share, peak) in enumerate(zip(topics, shares, peaks, strict=False))
    ]
    ends = f"datum.value == 0 ? '{names[0]}' : datum.value == {len(names) - 1} ? '{names[-1]}' : ''"
    base = of_rows(rows).encode(
        x=alt.X(
            "period:Q",
            title=None,
            scale=alt.Scale(domain=[0, len(names) - 1]),
            axis=alt.Axis(values=[0, len(names) - 1], labelExpr=ends, grid=False, labelBound=True, labelFlush=True),
        ),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=3)),
        href="tip:N",
    )
    area = base.mark_area(fill=SERIES[0], fillOpacity=0.18, line={"stroke": SERIES[0], "strokeWidth": 1.6})
    chart = area.properties(width=294, height=80).facet(
        facet=alt.Facet("topic:N", sort=[_name(topic) for topic in topics], title=None), columns=3
    )
    start, end = summary.periods[0][2], summary.periods[-1][2]
    moved = max(range(len(topics)), key=lambda place: abs(end[place] - start[place]))
    topic = topics[moved]
    return figure(
        chart,
        "Topics over time",
        f"From {names[0]} to {names[-1]}, topic {topic.id} ({topic.label}) moved most: "
        f"{start[moved]:.0%} to {end[moved]:.0%} of the words.",
        (summary.period, "articles", *(f"topic {topic.id}" for topic in topics)),
        [
            (name, count, *(f"{share:.1%}" for share in shares[: len(topics)]))
            for name, count, shares in summary.periods
        ],
    )
