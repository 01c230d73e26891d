"""Topics over the weeks as charts: streams of their shares, and what is rising and falling."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import altair as alt

from lib.charts import INK, MUTED, SERIES, Figure, figure, of_rows, shortened, tip
from lib.formats import signed
from lib.topics.figures import LABEL_CHARACTERS
from lib.topics.summary import SHOWN
from lib.topics.tracking import Tracked, Weeks

COLOURED = len(SERIES)  # of the streams; the others are grey
MOST_DATES = 8  # along the axis
LEAST_LABELLED = 0.04  # of the words in the last week: a stream with less has no room for a name
IN_TABLE = 100
_WIDTH, _NAMES, _HEIGHT, _ROW = 520, 240, 320, 24  # pixels


def streams(weeks: Weeks) -> Figure | None:
    """Each topic's share of the words, run by run, one on top of the other; None where there is no week before."""
    course = weeks.history.course
    if weeks.history.past is None or not course.weeks:
        return None
    shares = [*course.weeks, (weeks.history.date, weeks.shares)]
    labels = course.labels | {id: each.label for id, each in weeks.topics.items()}
    mean = {id: sum(week.get(id, 0.0) for _, week in shares) / len(shares) for id in labels}
    # those that are large now have a band as well, however new; grey ones come last, so that colours lie at the foot
    order = sorted(mean, key=lambda id: (-max(mean[id], weeks.shares.get(id, 0.0)), id))[:SHOWN]
    first = date.fromisoformat(shares[0][0])
    places = [(date.fromisoformat(day) - first).days for day, _ in shares]
    beyond = ["all others"] if len(mean) > len(order) else []
    rows: list[dict[str, Any]] = []
    for rank, id in enumerate([*order, *beyond]):
        colour = SERIES[rank] if rank < COLOURED else MUTED
        every = [week.get(id, 0.0) if id in mean else 1 - _sum(week, order) for _, week in shares]
        told = _course(shares, every)
        text, kind = (f"{_name(id, labels)}: {told}", f"t t{id}") if id in mean else (f"All others: {told}", "t")
        rows += [
            {
                "place": place,
                "share": max(share, 0.0),
                "topic": str(id),
                "rank": rank,
                "colour": colour,
                "strength": 0.75 if rank < COLOURED else 0.3,
                "tip": tip(text, kind),
            }
            for place, share in zip(places, every, strict=True)
        ]
    area = (
        of_rows(rows)
        .mark_area(stroke="var(--paper)", strokeWidth=1)
        .encode(
            x=alt.X("place:Q", title=None, scale=alt.Scale(domain=[0, places[-1]], nice=False), axis=_dates(shares)),
            y=alt.Y("share:Q", stack="zero", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
            detail="topic:N",
            order="rank:Q",
            fill=alt.Fill("colour:N", scale=None),
            fillOpacity=alt.FillOpacity("strength:Q", scale=None),
            href="tip:N",
        )
    )
    chart = alt.layer(area, *_names(rows, places[-1], labels)).properties(width=_WIDTH, height=_HEIGHT)
    return figure(
        chart,
        "Topics over the weeks",
        _longest(weeks, shares),
        ("run of", *(f"topic {id}" for id in order), *beyond),
        [
            (
                day,
                *(f"{week[id]:.1%}" if id in week else "–" for id in order),
                *(f"{max(0.0, 1 - _sum(week, order)):.1%}" for _ in beyond),
            )
            for day, week in shares
        ],
    )


def _sum(week: dict[int, float], ids: Sequence[int]) -> float:
    return sum(week.get(id, 0.0) for id in ids)


def _name(id: int, labels: dict[int, str]) -> str:
    return f"{id} · {shortened(labels[id], LABEL_CHARACTERS)}"


def _course(shares: Sequence[tuple[str, Any]], every: Sequence[float]) -> str:
    top = max(range(len(every)), key=every.__getitem__)
    return f"most in the run of {shares[top][0]}, {every[top]:.1%} of the words; now {every[-1]:.1%}"


def _dates(shares: Sequence[tuple[str, Any]]) -> alt.Axis:
    """As many dates as have room, the first and the last among them."""
    days = [day for day, _ in shares]
    step = max(1, -(-(len(days) - 1) // (MOST_DATES - 1)))
    shown = [*days[: -max(step // 2, 1) : step], days[-1]] if len(days) > 1 else days
    first = date.fromisoformat(days[0])
    at = {(date.fromisoformat(day) - first).days: day for day in shown}
    words = "".join(f"datum.value == {place} ? '{day}' : " for place, day in at.items())
    angle = -40 if len(at) > 5 else 0
    return alt.Axis(values=list(at), labelExpr=f"{words}''", grid=False, labelAngle=angle, labelFlush=not angle)


def _names(rows: Sequence[dict[str, Any]], end: int, labels: dict[int, str]) -> list[Any]:
    """The streams' names at their right ends, where they have room."""
    found, below = [], 0.0
    for row in rows:
        if row["place"] != end:
            continue
        if row["share"] >= LEAST_LABELLED and row["topic"].isdigit():
            name = _name(int(row["topic"]), labels)
            found.append({"y": below + row["share"] / 2, "name": name, "tip": tip("", f"t t{row['topic']}")})
        below += row["share"]
    if not found:
        return []
    names = of_rows(found).mark_text(align="left", dx=6, fill=INK, limit=_NAMES)
    return [names.encode(x=alt.value(_WIDTH), y=alt.Y("y:Q"), text="name:N", href="tip:N")]


def _longest(weeks: Weeks, shares: Sequence[tuple[str, Any]]) -> str:
    """Which topic of this week has been there longest."""
    topic = max(weeks.topics.values(), key=lambda each: (each.weeks, each.share))
    before = next((week[topic.id] for _, week in shares[:-1] if topic.id in week), None)
    if topic.weeks == 1 or before is None:
        return "None of this week’s topics was there a week ago."
    return (
        f"Over {len(shares)} runs, from {shares[0][0]} to {shares[-1][0]}, topic {topic.id} ({topic.label}) is the "
        f"largest of those that were there all along: {before:.0%} of the words then, {topic.share:.0%} now."
        if topic.since == shares[0][0]
        else f"Topic {topic.id} ({topic.label}) has been there longest, since {topic.since}: it has {topic.share:.0%} "
        f"of the words."
    )


def changes(weeks: Weeks) -> Figure | None:
    """The changes of the topics' shares since last week with their intervals; None where no topic goes on."""
    going = [each for each in weeks.topics.values() if each.change is not None]
    if not going:
        return None
    order = sorted(going[:SHOWN], key=lambda each: -_points(each)[0])
    rows = []
    for each in order:
        difference, low, high = _points(each)
        told = f"{_told(each)}: {signed(difference, 1)} points ({signed(low, 1)} to {signed(high, 1)})"
        rows.append(
            {
                "topic": f"{each.id} · {shortened(each.label, LABEL_CHARACTERS)}",
                "difference": difference,
                "low": low,
                "high": high,
                "colour": _COLOURS[_way(each)],
                "tip": tip(told, f"t t{each.id}"),
                "plain": tip("", f"t t{each.id}"),
            }
        )
    reach = 1.05 * max(abs(end) for each in order for end in _points(each)) or 1.0
    value = alt.X(
        "difference:Q",
        title="change of the share of the words, in percentage points",
        scale=alt.Scale(domain=[-reach, reach], nice=False),
        axis=alt.Axis(labelExpr="(datum.value > 0 ? '+' : '') + replace(datum.label, '-', '−')"),
    )
    name = alt.Y("topic:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelColor=INK))
    base = of_rows(rows).encode(y=name)
    zero = of_rows([{"at": 0}]).mark_rule(stroke=MUTED).encode(x="at:Q")
    span = base.mark_rule(strokeWidth=2.5, opacity=1).encode(
        x=alt.X("low:Q", scale=value["scale"]), x2="high:Q", stroke=alt.Stroke("colour:N", scale=None), href="plain:N"
    )
    dots = base.mark_circle(size=70, opacity=1).encode(x=value, fill=alt.Fill("colour:N", scale=None), href="tip:N")
    chart = alt.layer(zero, span, dots).properties(width=_WIDTH, height=_ROW * len(rows))
    return figure(
        chart,
        "Rising and falling",
        _verdict(going),
        ("topic", "label", "last week", "this week", "change in points", "low", "high", "verdict"),
        [
            (
                each.id,
                each.label,
                f"{each.before:.1%}",
                f"{each.share:.1%}",
                *(signed(point, 2) for point in _points(each)),
                _way(each) or "as before",
            )
            for each in sorted(going, key=lambda each: -_points(each)[0])[:IN_TABLE]
        ],
    )


_COLOURS = {"rising": SERIES[0], "falling": SERIES[1], "": MUTED}


def _way(topic: Tracked) -> str:
    return topic.change.way if topic.change else ""


def _told(topic: Tracked) -> str:
    return f"{shortened(topic.label, LABEL_CHARACTERS)}{', ' if _way(topic) else ''}{_way(topic)}"


def _points(topic: Tracked) -> tuple[float, float, float]:
    its = topic.change
    assert its is not None  # asked of topics that go on
    return 100 * its.difference, 100 * its.low, 100 * its.high


def _verdict(going: Sequence[Tracked]) -> str:
    rising = [each for each in going if _way(each) == "rising"]
    falling = [each for each in going if _way(each) == "falling"]
    if not rising and not falling:
        return f"Of {len(going)} topics none has changed its share by more than chance explains."
    most = max([*rising, *falling], key=lambda each: abs(_points(each)[0]))
    return (
        f"Of {len(going)} topic{'s' if len(going) > 1 else ''} {_are(rising)} rising and {_are(falling)} falling; "
        f"topic {most.id} ({most.label}) moved most: {most.before:.1%} to {most.share:.1%} of the words."
    )


def _are(topics: Sequence[Tracked]) -> str:
    return f"{len(topics) or 'none'} {'is' if len(topics) < 2 else 'are'}"
