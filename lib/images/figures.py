"""How an evaluation becomes charts: each class, superclasses taken for each other, calibration."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from lib.charts import ACCENT, INK, MUTED, SERIES, Figure, apart, figure, of_rows, tip
from lib.images.evaluation import Evaluation, wilson
from lib.images.gallery import spoken

_CELL = 27  # pixels, the side of a cell of the heat map
_ROW = 13  # pixels, a class's height in the chart of all


def class_dots(its: Evaluation, names: Sequence[str]) -> Figure:
    """Each class's accuracy as a dot with its interval, sorted, in two columns."""
    found = [place for place in range(len(names)) if its.class_n[place]]
    shares = {place: wilson(int(its.class_hits[place]), int(its.class_n[place])) for place in found}
    order = sorted(found, key=lambda place: (-shares[place].value, names[place]))
    labels = dict(zip(order, apart(spoken(names[place]) for place in order), strict=True))
    rows = [
        {
            "name": labels[place],
            "accuracy": _round(shares[place].value),
            "low": _round(shares[place].low),
            "high": _round(shares[place].high),
            "tip": tip(
                f"{labels[place]}: {shares[place].value:.1%} ({shares[place].low:.0%} to {shares[place].high:.0%}) of "
                f"{shares[place].n:,} images"
            ),
        }
        for place in order
    ]
    half = math.ceil(len(rows) / 2)
    columns = [_dots(part) for part in (rows[:half], rows[half:]) if part]
    first, last = order[0], order[-1]
    finding = (
        f"Best told is {spoken(names[first])}, {shares[first].value:.0%} of {shares[first].n:,} images; worst is "
        f"{spoken(names[last])}, {shares[last].value:.0%} of {shares[last].n:,}. The lines are intervals of 95%."
    )
    return figure(
        alt.hconcat(*columns, spacing=24),
        "Accuracy of each class",
        finding,
        ("class", "images", "right", "accuracy", "interval of 95%"),
        [
            (
                spoken(names[place]),
                shares[place].n,
                shares[place].hits,
                f"{shares[place].value:.1%}",
                f"{shares[place].low:.1%} to {shares[place].high:.1%}",
            )
            for place in order
        ],
    )


def _dots(rows: Sequence[Mapping[str, Any]]) -> Any:
    scale = alt.Scale(domain=[0, 1])
    base = of_rows(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelColor=INK)),
    )
    x = alt.X(
        "accuracy:Q", title=None, scale=scale, axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], orient="top")
    )
    lines = base.mark_rule(stroke=MUTED, strokeWidth=1.5).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    dots = base.mark_circle(size=34, fill=ACCENT, opacity=1).encode(x=x, href="tip:N")
    return alt.layer(lines, dots).properties(width=230, height=_ROW * len(rows))


def superclass_heat(its: Evaluation, names: Sequence[str]) -> Figure:
    """Which superclass was taken for which: a row an own one, its images shared out over what they were taken for."""
    shares = its.superclass_shares
    labels = apart(spoken(name) for name in names)
    filled = [place for place in range(len(labels)) if its.superclasses[place].sum()]
    off = shares * (1 - np.eye(len(labels)))
    most = float(off.max()) or 1.0
    rows = [
        {"own": labels[i], "as": labels[j], "share": _round(shares[i, j]), "right": i == j}
        | {"tip": tip(f"{labels[i]} taken for {labels[j]}: {shares[i, j]:.1%}")}
        for i in filled
        for j in range(len(labels))
        if shares[i, j] >= 0.005
    ]
    base = of_rows(rows).encode(
        x=alt.X(
            "as:N",
            sort=None,
            title="taken for",
            scale=alt.Scale(domain=labels),
            axis=alt.Axis(orient="top", labelAngle=-45, labelAlign="left", domain=False, ticks=False, labelColor=INK),
        ),
        y=alt.Y(
            "own:N",
            sort=None,
            title=None,
            scale=alt.Scale(domain=[labels[place] for place in filled]),
            axis=alt.Axis(domain=False, ticks=False, labelColor=INK),
        ),
    )
    # rights and mistakes each have a scale: on one, a mistake of 5% would be as pale as none
    opacity = alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, most], range=[0.02, 0.8], clamp=True), legend=None)
    wrong = base.transform_filter("!datum.right").mark_rect(fill=SERIES[1]).encode(fillOpacity=opacity, href="tip:N")
    right = base.transform_filter("datum.right").mark_rect(fill=ACCENT, fillOpacity=0.25, stroke=ACCENT)
    right = right.encode(href="tip:N")
    text = base.transform_filter("datum.share >= 0.02").mark_text(fontSize=9.5)
    text = text.encode(text=alt.Text("share:Q", format=".0%"))
    chart = alt.layer(wrong, right, text).properties(width=_CELL * len(labels), height=_CELL * len(filled))
    i, j = divmod(int(off.argmax()), len(labels))
    finding = (
        f"The most frequent mistake among superclasses: {off[i, j]:.0%} of {labels[i]} ({its.superclasses[i].sum():,} "
        f"images) are taken for {labels[j]}."
        if off.any()
        else "No image was taken for one of another superclass."
    )
    return figure(
        chart,
        "Superclasses taken for each other",
        finding,
        ("superclass", "images", *labels),
        [
            (labels[i], int(its.superclasses[i].sum()), *(f"{share:.1%}" if share else "" for share in shares[i]))
            for i in filled
        ],
    )


def reliability(its: Evaluation) -> Figure:
    """The reliability diagram: how often the network is right by how sure it is, over how many images."""
    rows = [
        {
            "low": _round(each.low),
            "high": _round(each.high),
            "middle": _round((each.low + each.high) / 2),
            "confidence": _round(each.confidence),
            "accuracy": _round(each.accuracy),
            "count": each.count,
            "tip": tip(f"{each.confidence:.1%} sure on average, right {each.accuracy:.1%} of {each.count:,} images"),
        }
        for each in its.bins
        if each.count and each.confidence is not None and each.accuracy is not None
    ]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("confidence:Q", title=None, scale=scale, axis=alt.Axis(format=".0%", labels=False, ticks=False))
    y = alt.Y("accuracy:Q", title="share that is right", scale=scale, axis=alt.Axis(format=".0%", tickCount=5))
    line = of_rows([{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]).encode(x=x, y=y)
    diagonal = line.mark_line(stroke=MUTED, strokeDash=[4, 4], strokeWidth=1.2)
    base = of_rows(rows).encode(x=x, y=y)
    gaps = base.mark_rule(stroke=SERIES[1], strokeWidth=3, opacity=0.6).encode(y2="confidence:Q")
    curve = base.mark_line(stroke=ACCENT)
    dots = base.mark_point(shape="square", filled=True, fill=ACCENT, size=44, opacity=1).encode(href="tip:N")
    upper = alt.layer(diagonal, gaps, curve, dots).properties(width=420, height=260)
    bars = of_rows(rows).mark_bar(fill=ACCENT, fillOpacity=0.45, stroke="var(--paper)")
    lower = bars.encode(
        x=alt.X("low:Q", title="how sure the network is", scale=scale, axis=alt.Axis(format=".0%", grid=False)),
        x2="high:Q",
        y=alt.Y("count:Q", title="images", axis=alt.Axis(tickCount=3, format="~s")),
        y2=alt.datum(0),
        href="tip:N",
    ).properties(width=420, height=70)
    sure = sum(each.count * (each.confidence or 0.0) for each in its.bins) / its.n
    verb = "is surer than it is right" if sure > its.accuracy.value else "is right more often than it is sure"
    finding = (
        f"On average the network {verb}: {sure:.1%} sure, {its.accuracy.value:.1%} right over {its.n:,} images; "
        f"the mean gap over {len(rows)} bins (ECE) is {its.ece * 100:.1f} points."
    )
    return figure(
        alt.vconcat(upper, lower, spacing=6),
        "Reliability diagram",
        finding,
        ("confidence", "images", "mean confidence", "right"),
        [
            (
                f"{each.low:.1%} to {each.high:.1%}",
                each.count,
                "" if each.confidence is None else f"{each.confidence:.1%}",
                "" if each.accuracy is None else f"{each.accuracy:.1%}",
            )
            for each in its.bins
        ],
    )


def _round(value: Any) -> float:
    return round(float(value), 4)
