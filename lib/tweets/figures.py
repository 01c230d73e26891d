"""How a mood becomes charts: what lifts it in one colour, what lowers it in another, and words that say so too."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import altair as alt

from lib.charts import ACCENT, MUTED, Figure, apart, figure, of_rows, tip
from lib.formats import signed
from lib.tweets.drawing import (
    MINUS,
    PLAIN_AXIS,
    ROW,
    WIDTH,
    colour,
    diverging,
    interval,
    language_name,
    lookup,
    short,
    signed_axis,
    whole,
)
from lib.tweets.mood import Mean, Mood
from lib.tweets.words import Shift, Way, WordShare

Evening = tuple[str, float, float | None, float | None, int]  # date, mean, low, high, scored

FARTHEST_BAR = 12  # valence; what is beyond stands in the last bar
MOST_LANGUAGES = 12
MOST_IN_TABLE = 60  # languages; a stranger may invent tags
MOST_WORDS = 12  # to each side


def distribution(mood: Mood) -> Figure | None:
    """How many scored tweets have which valence, on a square-root scale: zero would flatten the others."""
    if not mood.scored:
        return None
    bars = _bars(mood.distribution)
    rows = [
        {
            "place": place,
            "count": count,
            "label": f"{count:,}" if count else "",
            "sign": colour(valence),
            "tip": tip(f"Valence {label}: {count:,} tweets, {count / mood.scored:.1%} of the scored"),
        }
        for place, (valence, label, count) in enumerate(bars)
    ]
    base = of_rows(rows).encode(
        x=alt.X(
            "place:O",
            title="valence of a tweet",
            axis=alt.Axis(labelExpr=lookup([label for _, label, _ in bars]), labelAngle=0, ticks=False),
        ),
        y=alt.Y(
            "count:Q", title="tweets (square-root scale)", scale=alt.Scale(type="sqrt"), axis=alt.Axis(tickCount=5)
        ),
    )
    blocks = base.mark_bar(width={"band": 0.84}).encode(color=alt.Color("sign:N", scale=None), href="tip:N")
    labels = base.mark_text(dy=-6, fontSize=9, color=MUTED).encode(text="label:N")
    chart = alt.layer(blocks, labels).properties(width=max(32 * len(bars), 160), height=220)
    return figure(
        chart,
        "Scores of the tweets",
        f"Of {mood.scored:,} scored tweets {mood.positive:,} ({mood.positive / mood.scored:.0%}) are positive, "
        f"{mood.negative:,} ({mood.negative / mood.scored:.0%}) negative and {mood.neutral:,} "
        f"({mood.neutral / mood.scored:.0%}) score zero: {mood.no_words:,} without a word of the list and "
        f"{mood.neutral - mood.no_words:,} whose words balance.",
        ("valence", "tweets", "share"),
        [(label, count, f"{count / mood.scored:.1%}") for _, label, count in bars],
    )


def _bars(distribution: Sequence[tuple[int, int]]) -> list[tuple[int, str, int]]:
    """Valence, label, count: a bar an integer, with those beyond the farthest in the last one to their side."""
    counts: dict[int, int] = {}
    for valence, count in distribution:
        place = max(-FARTHEST_BAR, min(FARTHEST_BAR, valence))
        counts[place] = counts.get(place, 0) + count
    low, high = min(0, *counts), max(0, *counts)
    beyond = {
        -FARTHEST_BAR: f"≤{MINUS}{FARTHEST_BAR}" if distribution[0][0] < -FARTHEST_BAR else None,
        FARTHEST_BAR: f"≥{FARTHEST_BAR}" if distribution[-1][0] > FARTHEST_BAR else None,
    }
    return [(place, beyond.get(place) or whole(place), counts.get(place, 0)) for place in range(low, high + 1)]


_COURSES = {
    "minute": "Mood minute by minute",
    "ten minutes": "Mood in steps of ten minutes",
    "hour": "Mood hour by hour",
    "day": "Mood day by day",
    "month": "Mood month by month",
    "year": "Mood year by year",
}


def course(mood: Mood, zone: tzinfo = UTC) -> Figure | None:
    """The mean by period with its interval, over how many tweets each rests on; None for fewer than two periods."""
    told = [period for period in mood.course if period.mean is not None]
    if len(told) < 2 or mood.mean is None:
        return None
    names = _moments(mood, zone)
    rows = [
        {
            "place": place,
            "count": period.scored,
            "mean": period.mean.value if period.mean else None,
            "low": period.mean.low if period.mean else None,
            "high": period.mean.high if period.mean else None,
            "tip": tip(_told(name, period.mean, period.scored)),
        }
        for place, (name, period) in enumerate(zip(names, mood.course, strict=True))
    ]
    every = max(1, -(-len(names) * len(names[0]) // 110))  # as many labels as have room
    axis = alt.Axis(values=list(range(0, len(rows), every)), labelExpr=lookup(names), grid=False, labelFlush=False)
    scale = alt.Scale(domain=[-0.5, len(rows) - 0.5], nice=False)
    base = of_rows(rows).encode(x=alt.X("place:Q", title=None, scale=scale, axis=None))
    value = alt.Y("mean:Q", title="mean valence", scale=alt.Scale(zero=False), axis=signed_axis(5))
    band = base.transform_filter("isValid(datum.low)").mark_area(fill=ACCENT, fillOpacity=0.16)
    overall = of_rows([{"mean": mood.mean.value}]).mark_rule(stroke=MUTED, strokeDash=[4, 4]).encode(y="mean:Q")
    means = alt.layer(
        overall,
        band.encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(stroke=ACCENT).encode(y=value),
        base.mark_circle(size=36, color=ACCENT, opacity=1).encode(y=value, href="tip:N"),
    ).properties(width=WIDTH, height=200)
    counts = (
        base.mark_bar(fill=MUTED, fillOpacity=0.55, width=max(2, 0.7 * WIDTH / len(rows)))
        .encode(
            x=alt.X("place:Q", title=None, scale=scale, axis=axis),
            y=alt.Y("count:Q", title="tweets", axis=alt.Axis(tickCount=2)),
            href="tip:N",
        )
        .properties(width=WIDTH, height=46)
    )
    best = max(told, key=lambda period: period.mean.value if period.mean else 0.0)
    worst = min(told, key=lambda period: period.mean.value if period.mean else 0.0)
    by_start = {period.start_ms: name for period, name in zip(mood.course, names, strict=True)}
    assert best.mean is not None
    assert worst.mean is not None
    return figure(
        alt.vconcat(means, counts, spacing=8),
        _COURSES[mood.period],
        f"The means run from {signed(worst.mean.value)} ({by_start[worst.start_ms]}) to {signed(best.mean.value)} "
        f"({by_start[best.start_ms]}); the mean of all is {signed(mood.mean.value)} (dashed).",
        (mood.period, "scored tweets", "mean", "low", "high"),
        [(name, period.scored, *interval(period.mean)) for name, period in zip(names, mood.course, strict=True)],
    )


def _told(name: str, mean: Mean | None, scored: int) -> str:
    if mean is None:
        return f"{name}: no scored tweets"
    interval = f" ({signed(mean.low)} to {signed(mean.high)})" if mean.low is not None else ""
    return f"{name}: {signed(mean.value)}{interval} over {scored:,} scored tweets"


def _moments(mood: Mood, zone: tzinfo) -> list[str]:
    """When the periods start. Days, months and years are counted in UTC, and named so."""
    longer = mood.period in ("day", "month", "year")
    starts = [datetime.fromtimestamp(period.start_ms / 1000, UTC if longer else zone) for period in mood.course]
    if mood.period == "year":
        return [f"{start:%Y}" for start in starts]
    if mood.period == "month":
        return [f"{start:%b %Y}" for start in starts]
    if mood.period == "day":
        return [f"{start.day} {start:%b}" for start in starts]
    within = len({start.date() for start in starts}) == 1
    return [f"{start:%H:%M}" if within else f"{start.day} {start:%b %H:%M}" for start in starts]


def languages(mood: Mood) -> Figure | None:
    """The twelve most frequent languages, and all others."""
    if not mood.languages:
        return None
    shown = [(language_name(tag), count) for tag, count in mood.languages[:MOST_LANGUAGES]]
    if others := mood.languages[MOST_LANGUAGES:]:
        shown.append((f"{len(others)} others", sum(count for _, count in others)))
    labels = apart([name for name, _ in shown])
    rows = [
        {"name": label, "count": count, "label": f"{count:,} ({count / mood.tweets:.1%})"}
        for label, (_, count) in zip(labels, shown, strict=True)
    ]
    base = of_rows(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=PLAIN_AXIS),
        x=alt.X("count:Q", axis=None, scale=alt.Scale(domain=[0, 1.45 * max(count for _, count in shown)])),
    )
    texts = base.mark_text(align="left", dx=4, color=MUTED).encode(text="label:N")
    chart = alt.layer(base.mark_bar(height=12, color=ACCENT), texts).properties(width=330, height=ROW * len(rows))
    most = " and ".join(f"{short(tag)} ({count:,})" for tag, count in mood.languages[:2])
    rest = mood.languages[MOST_IN_TABLE:]
    table = [*mood.languages[:MOST_IN_TABLE], *([("others", sum(count for _, count in rest))] if rest else [])]
    return figure(
        chart,
        "Languages of the tweets",
        f"Of {mood.tweets:,} tweets {mood.english:,} ({mood.english / mood.tweets:.0%}) are English. "
        f"The most frequent tags: {most}.",
        ("language", "tweets", "share"),
        [(short(tag), count, f"{count / mood.tweets:.1%}") for tag, count in table],
    )


def contributions(words: Sequence[WordShare], mood: Mood) -> Figure | None:
    """The words that lift the mean most and those that lower it most."""
    lifting = [word for word in words if word.contribution > 0][:MOST_WORDS]
    lowering = [word for word in words if word.contribution < 0][:MOST_WORDS]
    if not lifting and not lowering:
        return None
    shown = [*lifting, *reversed(lowering)]
    rows = [
        {
            "name": word.entry,
            "change": word.contribution,
            "label": f"{signed(word.contribution, 3)} ({word.count:,} × {whole(word.valence)})",
            "tip": tip(
                f"{word.entry}: valence {whole(word.valence)}, used {word.count:,} times over {mood.scored:,} tweets"
            ),
        }
        for word in shown
    ]
    said = [
        f"{words[0].entry} {verb} the mean most, by {abs(words[0].contribution):.3f} ({words[0].count:,} times)"
        for words, verb in ((lifting, "lifts"), (lowering, "lowers"))
        if words
    ]
    return figure(
        diverging(rows, "part in the mean valence"),
        "Words that made the mood",
        f"Over {mood.scored:,} scored tweets, {' and '.join(said)}.",
        ("word", "valence", "times", "part in the mean"),
        [(word.entry, whole(word.valence), word.count, signed(word.contribution, 4)) for word in shown],
    )


_WAYS = {
    Way.POSITIVE_MORE: "positive ↑ more often",
    Way.POSITIVE_LESS: "positive ↓ less often",
    Way.NEGATIVE_MORE: "negative ↑ more often",
    Way.NEGATIVE_LESS: "negative ↓ less often",
}


def word_shift(shift: Shift | None, before: str = "the last time") -> Figure | None:
    """What moved the mean, word by word; `before` names what it is compared with, as a sentence takes it."""
    if shift is None or not shift.words:
        return None
    rows = [
        {
            "name": word.entry,
            "change": word.change,
            "label": _WAYS[word.way],
            "tip": tip(
                f"{word.entry} (valence {whole(word.valence)}): {100 * word.before:.1f} times in 100 tweets before, "
                f"now {100 * word.now:.1f}; {signed(word.change, 3)}"
            ),
        }
        for word in shift.words
    ]
    table = [
        (
            word.entry,
            whole(word.valence),
            f"{word.before:.2%}",
            f"{word.now:.2%}",
            word.way.value,
            signed(word.change, 4),
        )
        for word in shift.words
    ]
    if shift.rest_words:
        table.append((f"{shift.rest_words:,} other words together", "", "", "", "", signed(shift.rest, 4)))
    first = shift.words[0]
    verb = "rose" if shift.difference > 0 else "fell"
    rest = f"; {shift.rest_words:,} other words make up {signed(shift.rest, 3)}" if shift.rest_words else ""
    return figure(
        diverging(rows, "change of the mean valence", room=0.9),
        "What moved the mood",
        f"Against {before} the mean {verb} from {signed(shift.mean_before)} (over {shift.scored_before:,} tweets) to "
        f"{signed(shift.mean)} (over {shift.scored:,}); the word that moved it most is {first.entry} "
        f"({first.way.value}, {signed(first.change, 3)}){rest}.",
        ("word", "valence", "per tweet before", "per tweet now", "how", "change of the mean"),
        table,
    )


def evenings(known: Sequence[Evening], title: str = "The last Saturdays") -> Figure | None:
    """The last captures, the oldest first; None for fewer than two."""
    if len(known) < 2:
        return None
    rows = [
        {
            "place": place,
            "mean": mean,
            "low": low,
            "high": high,
            "tip": tip(_told(date, Mean(mean, low, high, scored), scored)),
        }
        for place, (date, mean, low, high, scored) in enumerate(known)
    ]
    every = max(1, -(-len(rows) // 8))
    axis = alt.Axis(
        values=list(range(len(rows) - 1, -1, -every))[::-1], labelExpr=lookup([each[0] for each in known]), grid=False
    )
    scale = alt.Scale(domain=[-0.4, len(rows) - 0.6], nice=False)
    base = of_rows(rows).encode(x=alt.X("place:Q", title=None, scale=scale, axis=axis))
    value = alt.Y("mean:Q", title="mean valence", scale=alt.Scale(zero=False), axis=signed_axis(5))
    spans = base.transform_filter("isValid(datum.low)").mark_rule(stroke=ACCENT, strokeWidth=5, strokeOpacity=0.3)
    chart = alt.layer(
        spans.encode(y="low:Q", y2="high:Q"),
        base.mark_line(stroke=ACCENT).encode(y=value),
        base.mark_circle(size=44, color=ACCENT, opacity=1).encode(y=value, href="tip:N"),
    ).properties(width=WIDTH, height=190)
    date, mean, _, _, scored = known[-1]
    earlier = [each[1] for each in known[:-1]]
    return figure(
        chart,
        title,
        f"On {date} the mean is {signed(mean)} over {scored:,} scored tweets; "
        + (
            f"the time before it was {signed(earlier[0])}."
            if len(earlier) == 1
            else f"the {len(earlier)} times before it lay between {signed(min(earlier))} and {signed(max(earlier))}."
        ),
        ("date", "scored tweets", "mean", "low", "high"),
        [(date, scored, signed(mean), signed(low), signed(high)) for date, mean, low, high, scored in known],
    )
