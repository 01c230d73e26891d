"""How the weekly topics become charts."""

from typing import Any

import altair as alt

from lib.charts import ACCENT, INK, MUTED, SERIES, Figure, apart, figure, of_rows, shortened
from lib.topics.summary import Summary, Topic

LABEL_CHARACTERS = 34
_CELL = 26  # pixels, the height of a heat map's row


def _name(topic: Topic) -> str:
    return f"{topic.id} · {shortened(topic.label, LABEL_CHARACTERS)}"


def word_bars(topic: Topic) -> Figure:
    """A topic's ten words as bars, on a scale of its own: one topic of few words would flatten all the others."""
    names = apart(shortened(word.replace("_", " "), 24) for word, _ in topic.words)
    rows = [{"word": name, "weight": weight} for name, (_, weight) in zip(names, topic.words, strict=True)]
    base = of_rows(rows).encode(
        y=alt.Y("word:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelColor=INK)),
        x=alt.X("weight:Q", title=None, axis=None, scale=alt.Scale(domain=[0, topic.words[0][1] * 1.35])),
    )
    labels = base.mark_text(align="left", dx=4, color=MUTED).encode(text=alt.Text("weight:Q", format=".1%"))
    chart = alt.layer(base.mark_bar(height=11, color=ACCENT), labels).properties(width=190, height=17 * len(rows))
    first = topic.words[0]
    finding = f"Topic {topic.id}: its likeliest word is {first[0].replace('_', ' ')}, {first[1]:.1%} of its words."
    return figure(chart, f"Words of topic {topic.id}", finding, ("word", "probability"), topic.words)


def distance_map(summary: Summary) -> Figure:
    """Topics as circles: near each other where their words are alike, as large as their share of the words."""
    rows: list[dict[str, Any]] = [
        {"x": topic.x, "y": topic.y, "share": topic.share, "id": str(topic.id), "label": topic.label.split(",")[0]}
        for topic in summary.topics
    ]
    reach = max((max(abs(row["x"]), abs(row["y"])) for row in rows), default=0.0) * 1.25 or 1.0
    plane = alt.Axis(labels=False, ticks=False, domain=False, title=None, values=[0])
    base = of_rows(rows).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[-reach, reach]), axis=plane),
        y=alt.Y("y:Q", scale=alt.Scale(domain=[-reach, reach]), axis=plane),
    )
    circles = base.mark_circle(fill=ACCENT, fillOpacity=0.25, stroke=ACCENT, opacity=1).encode(
        size=alt.Size("share:Q", scale=alt.Scale(range=[60, 3600], domainMin=0), legend=None),
        tooltip=["label:N"],
    )
    numbers = base.mark_text(fontWeight="bold", baseline="bottom").encode(text="id:N")
    names = base.mark_text(baseline="top", fontSize=10).encode(text="label:N")
    chart = alt.layer(circles, numbers, names).properties(width=620, height=440)
    return figure(
        chart,
        "Map of the topics",
        _nearest(summary),
        ("topic", "label", "share", "x", "y"),
        [
            (topic.id, topic.label, f"{topic.share:.1%}", round(topic.x, 3), round(topic.y, 3))
            for topic in summary.topics
        ],
    )


def _nearest(summary: Summary) -> str:
    pairs = [
        ((one.x - other.x) ** 2 + (one.y - other.y) ** 2, one, other)
        for place, one in enumerate(summary.topics)
        for other in summary.topics[place + 1 :]
    ]
    if not pairs:
        return "There is one topic, and nothing to compare it with."
    _, one, other = min(pairs, key=lambda pair: pair[0])
    return f"The two nearest topics are {one.id} ({one.label}) and {other.id} ({other.label})."


def publication_heat(summary: Summary) -> Figure:
    """Topics by publication: each row is what a publication's words are about."""
    labels = apart(f"{shortened(name, 26)} ({count:,})" for name, count, _ in summary.publications)
    rows = [
        {"publication": label, "topic": _name(topic), "share": share}
        for label, (_, _, shares) in zip(labels, summary.publications, strict=True)
        for topic, share in zip(summary.topics, shares, strict=True)
    ]
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
        fillOpacity=alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.02, 0.85]), legend=None)
    )
    text = base.transform_filter("datum.share >= 0.005").mark_text().encode(text=alt.Text("share:Q", format=".0%"))
    width = max(44 * len(summary.topics), 120)
    chart = alt.layer(heat, text).properties(width=width, height=_CELL * len(labels))
    name, share, topic = max(
        (
            (name, share, topic)
            for name, _, shares in summary.publications
            for topic, share in zip(summary.topics, shares, strict=True)
        ),
        key=lambda each: each[1],
    )
    return figure(
        chart,
        "Topics by publication",
        f"The most one-sided: {share:.0%} of the words in {name} belong to topic {topic.id} ({topic.label}).",
        ("publication", "articles", *(f"topic {topic.id}" for topic in summary.topics)),
        [(name, count, *(f"{share:.1%}" for share in shares)) for name, count, shares in summary.publications],
    )


def over_time(summary: Summary) -> Figure | None:
    """Topics over time, a small panel a topic on one scale; nothing where fewer than two periods are dated."""
    if len(summary.periods) < 2:
        return None
    rows: list[dict[str, Any]] = [
        {"period": place, "share": share, "topic": _name(topic)}
        for place, (_, _, shares) in enumerate(summary.periods)
        for topic, share in zip(summary.topics, shares, strict=True)
    ]
    names = [name for name, _, _ in summary.periods]
    ends = f"datum.value == 0 ? '{names[0]}' : datum.value == {len(names) - 1} ? '{names[-1]}' : ''"
    base = of_rows(rows).encode(
        x=alt.X(
            "period:Q",
            title=None,
            scale=alt.Scale(domain=[0, len(names) - 1]),
            axis=alt.Axis(values=[0, len(names) - 1], labelExpr=ends, grid=False, labelBound=True, labelFlush=True),
        ),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=3)),
    )
    area = base.mark_area(fill=SERIES[0], fillOpacity=0.18, line={"stroke": SERIES[0], "strokeWidth": 1.6})
    chart = area.properties(width=270, height=80).facet(
        facet=alt.Facet("topic:N", sort=[_name(topic) for topic in summary.topics], title=None), columns=3
    )
    start, end = summary.periods[0][2], summary.periods[-1][2]
    moved = max(range(len(summary.topics)), key=lambda place: abs(end[place] - start[place]))
    topic = summary.topics[moved]
    return figure(
        chart,
        "Topics over time",
        f"From {names[0]} to {names[-1]}, topic {topic.id} ({topic.label}) moved most: "
        f"{start[moved]:.0%} to {end[moved]:.0%} of the words.",
        (summary.period, "articles", *(f"topic {topic.id}" for topic in summary.topics)),
        [(name, count, *(f"{share:.1%}" for share in shares)) for name, count, shares in summary.periods],
    )
