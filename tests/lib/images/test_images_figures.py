"""A night's charts and page are whole whatever the night was like: one epoch, no champion, classes without images."""

import re
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import html5lib
import numpy as np
import pytest

from lib.charts import Figure
from lib.images import courses, figures, summary
from lib.images.evaluation import Evaluation, evaluate
from lib.images.summary import Night
from lib.images.verdict import Verdict, compare
from lib.reports import render, settings_list
from tests.lib.images.nights import MATERIAL, card_of
from tests.lib.images.test_evaluation import SUPERCLASS_OF, made, sure
from tests.lib.topics.made import HOSTILE as HOSTILES
from tests.lib.walked import marked, told

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
NAMES = MATERIAL.classes
UTC = ZoneInfo("UTC")


@dataclass
class Epoch:
    loss: float = 4.0
    accuracy: float = 0.1
    val_loss: float = 3.9
    val_accuracy: float = 0.12
    seconds: float = 20.0
    learning_rate: float = 0.001
    images_per_second: float = 2400.0


def epochs(count: int) -> list[Epoch]:
    return [Epoch(4.0 - each / 20, each / 100, 3.9 - each / 25, each / 110) for each in range(1, count + 1)]


def nights(count: int) -> list[dict[str, Any]]:
    return [
        {"date": f"2024-04-{day:02d}", "recipe": "seed", "accuracy": 0.4 + day / 1000, "promoted": day == 1}
        | {"accuracy_low": 0.39 + day / 1000, "accuracy_high": 0.41 + day / 1000}
        for day in range(1, count + 1)
    ]


def judged(seed: int = 0, skill: float = 3.0, n: int = 2000) -> Evaluation:
    p, fine = made(n, seed=7, skill=skill)
    rng = np.random.default_rng(seed)
    p = p ** (1 + rng.random((n, 1)))
    return evaluate(p / p.sum(axis=1, keepdims=True), fine, SUPERCLASS_OF)


def all_figures(its: Evaluation, before: Evaluation | None, course: int, history: int) -> dict[str, Figure]:
    found = {
        "curves": courses.learning_curves([vars(each) for each in epochs(course)]),
        "over_time": courses.over_time([vars(each) for each in epochs(course)], 125.0 * course, original=True),
        "classes": figures.class_dots(its, NAMES),
        "superclasses": figures.superclass_heat(its, MATERIAL.superclasses),
        "reliability": figures.reliability(its),
        "movers": courses.movers(its, before, NAMES) if before else None,
        "history": courses.history(nights(history)),
    }
    return {name: each for name, each in found.items() if each}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return all_figures(judged(), judged(1, 2.5), 50, 30)


def test_a_night_has_seven_charts_that_are_small_together(drawn: dict[str, Figure]) -> None:
    assert len(drawn) == 7
    assert sum(len(each.svg.encode()) for each in drawn.values()) < 200_000


@pytest.mark.parametrize("name", ["curves", "over_time", "classes", "superclasses", "reliability", "movers", "history"])
def test_a_figure_is_one_picture_with_names_a_finding_with_numbers_and_its_data(
    drawn: dict[str, Figure], name: str
) -> None:
    figure = drawn[name]
    root = ElementTree.fromstring(figure.svg)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert (root[0].text, root[1].text) == (figure.title, figure.finding)
    assert re.search(r"\d", figure.finding)
    assert figure.finding.endswith(".")
    assert figure.rows
    assert all(len(row) == len(figure.columns) for row in figure.rows)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', figure.svg)) - {"none", "transparent"}
    assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", colour) for colour in colours)


def texts(figure: Figure) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


def test_accuracy_over_time_counts_from_the_beginning_and_names_the_original_only_for_its_images() -> None:
    course = [{"val_accuracy": accuracy, "seconds": 60.0} for accuracy in (0.3, 0.5, 0.6)]
    against = courses.over_time(course, 210.0, original=True)
    alone = courses.over_time(course, 210.0, original=False)
    assert against is not None
    assert alone is not None
    assert [row[1] for row in against.rows] == [row[1] for row in alone.rows] == ["1.5", "2.5", "3.5"]
    assert alone.finding == "3.5 minutes led to 60.0% of the validation images."
    assert "The original’s 49.27% (of the test images, after two hours on eight cores) was passed after 2.5" in (
        against.finding
    )
    assert "the original, 49.27%" in texts(against)
    assert "original" not in "".join(texts(alone))
    early = courses.over_time(course[:1], 90.0, original=True)
    assert early is not None
    assert "was not passed" in early.finding


def test_the_curves_are_told_apart_by_words_and_dashes(drawn: dict[str, Figure]) -> None:
    assert texts(drawn["curves"]).count("training") == texts(drawn["curves"]).count("validation") == 2
    assert "stroke-dasharray" in drawn["curves"].svg
    assert "after epoch 50, with 45.5%" in drawn["curves"].finding


def test_every_class_and_superclass_has_its_name(drawn: dict[str, Figure]) -> None:
    assert set(NAMES) <= set(texts(drawn["classes"]))
    assert set(MATERIAL.superclasses) <= set(texts(drawn["superclasses"]))


def test_the_history_names_its_ends_and_counts_the_promoted(drawn: dict[str, Figure]) -> None:
    assert {"2024-04-01", "2024-04-30"} <= set(texts(drawn["history"]))
    assert drawn["history"].finding.startswith("1 of the last 30 nights’ models were promoted")


def test_the_movers_are_the_classes_whose_accuracy_moved_most() -> None:
    fine = np.repeat([3, 4, 5], 10)
    now, before = fine.copy(), fine.copy()
    now[:4] = 0
    before[10:19] = 0
    its, other = (evaluate(sure(list(each)), fine, SUPERCLASS_OF) for each in (now, before))
    figure = courses.movers(its, other, NAMES)
    assert figure is not None
    assert figure.rows == [
        ("class 04", 10, "10.0%", "100.0%", "+90.0"),
        ("class 03", 10, "100.0%", "60.0%", "−40.0"),
    ]
    assert "1 classes are better told than by the champion, 1 worse, 98 alike; class 04 moved most" in figure.finding
    assert courses.movers(its, its, NAMES) is None


def test_short_nights_and_few_images_are_drawn_too() -> None:
    one = evaluate(sure([4]), np.array([4]), SUPERCLASS_OF)
    found = all_figures(one, None, 1, 2)
    assert set(found) == {"curves", "over_time", "classes", "superclasses", "reliability", "history"}
    assert found["superclasses"].finding == "No image was taken for one of another superclass."
    assert courses.learning_curves([]) is None
    assert courses.over_time([], 1.0, original=True) is None
    assert courses.history(nights(1)) is None


def night(**what: Any) -> Night:
    its, before = judged(n=500), judged(1, 2.5, n=500)
    p, fine = made(500)
    trained = SimpleNamespace(
        history=epochs(5),
        seconds=61.0,
        images_per_second=2400.0,
        params=123_456,
        temperature=0.613,
        epochs=5,
        backend="tensorflow",
        precision="float32",
        resumed_from=None,
        went_on=False,
        logs=Path("data/the logs"),
    )
    values: dict[str, Any] = {
        "run": 17,
        "date": "2024-05-01",
        "recipe": "seed",
        "seed": 1,
        "material": MATERIAL,
        "trained": trained,
        "validation": its,
        "test": its,
        "verdict": compare(p, p, fine),
        "champion": card_of(12, "2024-04-30", "ab" * 32, 3),
        "champion_test": before,
        **what,
    }
    return Night(**values)


def page(found: Night, earlier: int = 3, demo: bool = False) -> str:
    _, fine = made(500, seed=7)
    images = np.random.default_rng(0).integers(0, 256, (500, 32, 32, 3)).astype(np.uint8)
    layer = SimpleNamespace(name="images", kind="InputLayer", shape=(32, 32, 3), parameters=0)
    context = summary.page(found, images, fine, layers=[layer], filters=np.zeros((8, 3, 3, 3)), nights=nights(earlier))
    run = SimpleNamespace(id=17, date=found.date, message=summary.one_sentence(found), folder="x")
    return render(
        "retrain_cnn.html",
        zone=UTC,
        run=run,
        demo=demo,
        rejected={},
        repaired={},
        stages={"training": 61.0},
        settings=settings_list([("recipe", "seed")]),
        files=["a.tar.gz"],
        **context,
    )


def ids(text: str) -> set[str]:
    html5lib.HTMLParser(strict=True).parse(text)
    return set(re.findall(r'<h2 id="(\w+)"', text))


def test_a_page_shows_all_there_is_to_tell_and_is_valid() -> None:
    text = page(night())
    assert ids(text) == {
        *("verdict", "movers", "curves", "classes", "superclasses", "calibration", "sure", "network", "nights", "run"),
    }
    findings = told(text)
    assert len(findings) == 7
    assert all(re.search(r"\d", finding) for finding in findings)
    assert "tensorboard --logdir &#39;data/the logs&#39;" in text
    assert text.count("<img ") == text.count(' alt="')
    assert re.search(r'alt="labelled class \d\d, taken for class \d\d at \d', text)
    assert "This page shows demo data" not in text


def test_the_first_night_has_no_champion_to_tell_of() -> None:
    first = night(champion=None, champion_test=None, verdict=Verdict(True, "There was none."))
    text = page(first, earlier=0, demo=True)
    assert not ids(text) & {"movers", "nights"}
    assert "This page shows demo data" in text
    assert summary.metrics(first, Path("data"))["champion"] == "data/models/champion.keras"


def test_what_strangers_named_is_escaped() -> None:
    hostile = replace(MATERIAL, classes=(HOSTILE, *NAMES[1:]), superclasses=(HOSTILE, *MATERIAL.superclasses[1:]))
    text = page(night(material=hostile))
    assert "<script" not in text
    html5lib.HTMLParser(strict=True).parse(text)


def test_a_page_has_at_most_six_hundred_kilobytes_and_three_hundred_without_its_pictures() -> None:
    made = night()
    made = replace(made, trained=SimpleNamespace(**{**vars(made.trained), "history": epochs(100), "epochs": 100}))
    text = page(made, earlier=28)
    assert text.count("<img ") == 49  # twenty-four wrong, twenty-four right, and the filters
    assert len(text.encode()) <= 600_000
    assert len(re.sub(r"data:image/png;base64,[^\"]*", "", text).encode()) <= 300_000


def test_wrong_and_right_are_tabs_of_which_one_is_chosen() -> None:
    assert re.findall(r'<input type="radio" name="sure" id="sure-\d"( checked)?>', page(night())) == [" checked", ""]


def test_whatever_classes_are_called_stays_text_and_is_cut() -> None:
    hostile = tuple(HOSTILES.values())
    classes = tuple(f"{hostile[place % len(hostile)]}{place}" for place in range(100))
    superclasses = (*hostile, *MATERIAL.superclasses[len(hostile) :])
    text = page(night(material=replace(MATERIAL, classes=classes, superclasses=superclasses)))
    assert marked(text) <= marked(page(night())) | {"tspan"}
    assert "w" * 100 not in text
    assert len(told(text)) == 7


def test_marks_have_tooltips(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        root = ElementTree.fromstring(figure.svg)
        tips = [each.text or "" for each in root.iter(f"{SVG}title")][1:]
        assert bool(tips) == (name not in ("curves", "over_time")), name  # fifty epochs are a line without points
        assert all(re.search(r"\d", each) for each in tips)


def test_the_tables_beside_the_page_have_every_class_epoch_and_bin() -> None:
    tables = summary.data_tables(night())
    assert {name: len(tables[name]) for name in ("classes", "epochs", "calibration")} == {
        "classes": 100,
        "epochs": 5,
        "calibration": 15,
    }
    assert sum(row["images"] for row in tables["superclasses"]) == 500
    assert all(len({tuple(row) for row in rows}) == 1 for rows in tables.values() if rows)


def test_the_metrics_are_the_nights_and_name_the_champion() -> None:
    found = night()
    said = summary.metrics(found, Path("data"))
    assert {
        *("recipe", "backend", "epochs", "seconds", "images_per_second", "params", "accuracy", "accuracy_low"),
        *("accuracy_high", "top5_accuracy", "coarse_accuracy", "slides_accuracy", "loss", "ece", "promoted"),
        "champion",
    } <= set(said)
    assert said["promoted"] is False
    assert said["champion_accuracy"] == found.champion_test.accuracy.value  # type: ignore[union-attr]
    assert "The champion stays." in summary.one_sentence(found)
    assert len(summary.class_rows(found)) == 100
    assert summary.epoch_rows(found.trained)[0]["epoch"] == 1


def test_a_page_takes_seconds() -> None:
    found = night()
    page(found)
    started = time.perf_counter()
    page(found)
    assert time.perf_counter() - started < 5
