"""How a course becomes charts: of the training, of the classes since the champion, of the nights."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from lib.charts import ACCENT, INK, MUTED, RULE, SERIES, Figure, apart, figure, of_rows, tip
from lib.images.evaluation import Evaluation
from lib.images.gallery import spoken

MOVERS = 12  # classes in the chart of what moved
ORIGINAL = 0.4927  # of the test images, on the slides
FEW_EPOCHS = 25  # up to so many have a point each


def learning_curves(epochs: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Accuracy and loss by epoch, on training images (dashed, hollow) and on validation images; None without epochs.

    `epochs` are mappings with `loss`, `accuracy`, `val_loss` and `val_accuracy`.
    """
    if not epochs:
        return None
    validation = [float(each["val_accuracy"]) for each in epochs]
    last, best = epochs[-1], validation.index(max(validation))
    panels = [
        _curves(epochs, "accuracy", "Accuracy", ".0%"),
        _curves(epochs, "loss", "Loss", ".1f"),
    ]
    finding = (
        f"After {len(epochs)} epoch{'s' if len(epochs) != 1 else ''} the network is right about "
        f"{last['val_accuracy']:.1%} of the validation images and {last['accuracy']:.1%} of the training images; "
        f"validation was best after epoch {best + 1}, with {validation[best]:.1%}."
    )
    names = ("accuracy", "val_accuracy", "loss", "val_loss")
    return figure(
        alt.hconcat(*panels, spacing=20),
        "Learning curves",
        finding,
        ("epoch", "accuracy, training", "accuracy, validation", "loss, training", "loss, validation"),
        [
            (number, *(f"{each[name]:.1%}" if "acc" in name else f"{each[name]:.3f}" for name in names))
            for number, each in enumerate(epochs, start=1)
        ],
    )


def _curves(epochs: Sequence[Mapping[str, Any]], name: str, title: str, form: str) -> Any:
    kinds = {"training": name, "validation": f"val_{name}"}
    rows: list[dict[str, Any]] = [
        {"epoch": number, "value": round(float(each[key]), 4), "kind": kind}
        | {"tip": tip(f"Epoch {number}, {kind}: {format(each[key], '.1%' if form == '.0%' else '.3f')}")}
        for kind, key in kinds.items()
        for number, each in enumerate(epochs, start=1)
    ]
    lasts = {row["kind"]: row for row in rows}  # of each kind the last row stays
    top = max(lasts, key=lambda kind: lasts[kind]["value"])
    count = len(epochs)
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, max(count, 2)]),
        axis=alt.Axis(grid=False, format="d", values=_ticks(count)),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False, padding=12), axis=alt.Axis(format=form, tickCount=5))
    layers: list[Any] = []
    for kind, colour in (("training", SERIES[1]), ("validation", SERIES[0])):
        base = of_rows([row for row in rows if row["kind"] == kind]).encode(x=x, y=y)
        layers.append(base.mark_line(stroke=colour, strokeDash=[5, 3] if kind == "training" else [1, 0]))
        if count <= FEW_EPOCHS:
            layers.append(
                base.mark_point(
                    shape="circle" if kind == "training" else "square",
                    filled=True,
                    opacity=1,
                    size=26,
                    fill="var(--paper)" if kind == "training" else colour,
                    stroke=colour,
                ).encode(href="tip:N")
            )
        label = of_rows([{**lasts[kind], "text": kind}]).encode(x=x, y=y, text="text:N")
        layers.append(label.mark_text(align="left", dx=7, dy=-6 if kind == top else 8, color=colour, fontWeight="bold"))
    return alt.layer(*layers).properties(width=300, height=210)


def over_time(epochs: Sequence[Mapping[str, Any]], seconds: float, *, original: bool) -> Figure | None:
    """Accuracy on the validation images by minutes, beside what the original came to; None without epochs.

    `epochs` are mappings with `val_accuracy` and `seconds`; `seconds` is the whole training's, which begins with
    reading and compiling. `original` is whether these are images that it can be held against.
    """
    if not epochs:
        return None
    after = [sum(float(each["seconds"]) for each in epochs[place + 1 :]) for place in range(len(epochs))]
    rows: list[dict[str, Any]] = [
        {"minutes": round((seconds - rest) / 60, 3), "accuracy": _round(each["val_accuracy"])}
        | {"tip": tip(f"Epoch {number}, {(seconds - rest) / 60:.1f} min: {each['val_accuracy']:.1%}")}
        for number, (each, rest) in enumerate(zip(epochs, after, strict=True), start=1)
    ]
    x = alt.X("minutes:Q", title="minutes", scale=alt.Scale(zero=True), axis=alt.Axis(grid=False, tickCount=6))
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(zero=True), axis=alt.Axis(format=".0%", tickCount=5))
    base = of_rows(rows).encode(x=x, y=y)
    layers: list[Any] = [base.mark_line(stroke=SERIES[0])]
    if len(rows) <= FEW_EPOCHS:
        points = base.mark_point(shape="square", filled=True, opacity=1, size=26, fill=SERIES[0], stroke=SERIES[0])
        layers.append(points.encode(href="tip:N"))
    finding = f"{rows[-1]['minutes']:.1f} minutes led to {rows[-1]['accuracy']:.1%} of the validation images."
    if original:
        line = of_rows([{"accuracy": ORIGINAL, "minutes": 0, "text": f"the original, {ORIGINAL:.2%}"}])
        layers.append(line.mark_rule(stroke=MUTED, strokeDash=[5, 3]).encode(y=y))
        layers.append(line.mark_text(align="left", dx=5, dy=-7, color=MUTED).encode(x=x, y=y, text="text:N"))
        past = next((row for row in rows if row["accuracy"] > ORIGINAL), None)
        when = f"was passed after {past['minutes']:.1f} minutes" if past else "was not passed"
        finding += f" The original’s {ORIGINAL:.2%} (of the test images, after two hours on eight cores) {when}."
    chart = alt.layer(*layers).properties(width=640, height=200)
    columns = ("epoch", "minutes", "accuracy, validation")
    table = [(number, f"{row['minutes']:.1f}", f"{row['accuracy']:.1%}") for number, row in enumerate(rows, start=1)]
    return figure(chart, "Accuracy over time", finding, columns, table)


def _ticks(count: int) -> list[int]:
    """A few whole epochs for an axis, the last one among them."""
    step = max(1, round(count / 6))
    return sorted({1, *range(step, count - step // 2, step), count})


def movers(its: Evaluation, champion: Evaluation, names: Sequence[str]) -> Figure | None:
    """The classes that moved most against the champion on the same images; None where none did."""
    change: NDArray[np.float64] = np.nan_to_num(its.class_accuracy - champion.class_accuracy)
    order = sorted(range(len(names)), key=lambda place: (-abs(change[place]), names[place]))
    moved = [place for place in order if change[place]]
    if not moved:
        return None
    shown = sorted(moved[:MOVERS], key=lambda place: (-change[place], names[place]))
    rows: list[dict[str, Any]] = [
        {
            "name": label,
            "points": round(float(change[place]) * 100, 1),
            "text": _points(change[place]),
            "tip": tip(
                f"{label}: {champion.class_accuracy[place]:.1%} to {its.class_accuracy[place]:.1%} of "
                f"{int(its.class_n[place]):,} images"
            ),
        }
        for label, place in zip(apart(spoken(names[place]) for place in shown), shown, strict=True)
    ]
    reach = max(abs(row["points"]) for row in rows) * 1.3
    base = of_rows(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelColor=INK)),
        x=alt.X(
            "points:Q",
            title="percentage points against the champion",
            scale=alt.Scale(domain=[-reach, reach]),
            axis=alt.Axis(tickCount=4, labelOverlap=False),
        ),
    )
    zero = of_rows([{"points": 0}]).mark_rule(stroke=INK).encode(x="points:Q")
    layers: list[Any] = [zero]
    up, down = base.transform_filter("datum.points > 0"), base.transform_filter("datum.points < 0")
    layers += [
        up.mark_bar(height=11, fill=SERIES[0]).encode(href="tip:N"),
        down.mark_bar(height=11, fill=SERIES[1]).encode(href="tip:N"),
    ]
    layers += [
        up.mark_text(align="left", dx=5, color=MUTED).encode(text="text:N"),
        down.mark_text(align="right", dx=-5, color=MUTED).encode(text="text:N"),
    ]
    chart = alt.layer(*layers).properties(width=460, height=19 * len(rows))
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    first = moved[0]
    finding = (
        f"{better} classes are better told than by the champion, {worse} worse, {len(names) - better - worse} alike; "
        f"{spoken(names[first])} moved most, {_points(change[first])} points over "
        f"{int(its.class_n[first]):,} images."
    )
    return figure(
        chart,
        "What moved against the champion",
        finding,
        ("class", "images", "champion", "tonight", "points"),
        [
            (
                spoken(names[place]),
                int(its.class_n[place]),
                f"{champion.class_accuracy[place]:.1%}",
                f"{its.class_accuracy[place]:.1%}",
                _points(change[place]),
            )
            for place in sorted(moved, key=lambda place: (-change[place], names[place]))
        ],
    )


def history(nights: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The accuracy of each night's model with its interval, promoted ones filled; None for fewer than two nights.

    `nights` are mappings with `date`, `recipe`, `accuracy`, `accuracy_low`, `accuracy_high` and `promoted`.
    """
    if len(nights) < 2:
        return None
    rows = [
        {"night": place, **{name: _round(each[name]) for name in ("accuracy", "accuracy_low", "accuracy_high")}}
        | {"promoted": bool(each["promoted"]), "tip": tip(_night(each))}
        for place, each in enumerate(nights)
    ]
    ends = [0, len(nights) - 1]
    said = f"datum.value == 0 ? '{nights[0]['date']}' : datum.value == {ends[1]} ? '{nights[-1]['date']}' : ''"
    x = alt.X(
        "night:Q",
        title=None,
        scale=alt.Scale(domain=ends, padding=12),
        axis=alt.Axis(values=ends, labelExpr=said, grid=False, labelFlush=False),
    )
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".0%", tickCount=5))
    base = of_rows(rows).encode(x=x, y=y)
    line = base.mark_line(stroke=RULE, strokeWidth=1.5)
    bars = base.mark_rule(stroke=MUTED).encode(
        y=alt.Y("accuracy_low:Q", scale=alt.Scale(zero=False)), y2="accuracy_high:Q"
    )
    others = (
        base.transform_filter("!datum.promoted")
        .mark_point(shape="circle", filled=True, fill="var(--paper)", stroke=MUTED, size=50, opacity=1)
        .encode(href="tip:N")
    )
    promoted = (
        base.transform_filter("datum.promoted")
        .mark_point(shape="diamond", filled=True, fill=ACCENT, stroke=ACCENT, size=110, opacity=1)
        .encode(href="tip:N")
    )
    chart = alt.layer(line, bars, others, promoted).properties(width=620, height=220)
    best = max(nights, key=lambda each: float(each["accuracy"]))
    count = sum(bool(each["promoted"]) for each in nights)
    finding = (
        f"{count} of the last {len(nights)} nights’ models were promoted (filled diamonds); the best on its test "
        f"images was that of {best['date']}, with {best['accuracy']:.1%}."
    )
    return figure(
        chart,
        "The nights",
        finding,
        ("date", "recipe", "accuracy", "interval of 95%", "promoted"),
        [
            (
                each["date"],
                each["recipe"],
                f"{each['accuracy']:.1%}",
                f"{each['accuracy_low']:.1%} to {each['accuracy_high']:.1%}",
                "yes" if each["promoted"] else "no",
            )
            for each in reversed(nights)
        ],
    )


def _night(night: Mapping[str, Any]) -> str:
    interval = f"{night['accuracy_low']:.1%} to {night['accuracy_high']:.1%}"
    promoted = ", promoted" if night["promoted"] else ""
    return f"{night['date']}, {night['recipe']}: {night['accuracy']:.1%} ({interval}){promoted}"


def _round(value: Any) -> float:
    return round(float(value), 4)


def _points(change: float) -> str:
    return f"{change * 100:+.1f}".replace("-", "−")
