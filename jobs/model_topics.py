"""Find the topics in the week's articles, and report on them.

    python -m jobs.model_topics --articles data/articles

Reads CSV files in the "All the news" schema (folders of them, .gz, .bz2, .xz, the zip as downloaded), trains gensim's
LDA and writes reports/model_topics/DATE.html.
"""

from pathlib import Path
from typing import Any

import click

from lib.command import NumberOrAuto, job
from lib.schedules import Schedule

SCHEDULE = Schedule("sun 06:00", catch_up="latest", deadline="2h")
DEFAULT_ARTICLES = "articles"  # in the data folder
PLANNED = ("topics", "start", "engine", "passes", "seed", "text", "phrases")


def plan(options: Any) -> list[str]:
    """What --dry-run prints."""
    from lib.topics.sources import csv_files, told

    files = csv_files(options.articles or [options.data / DEFAULT_ARTICLES])
    return [*told(files), ", ".join(f"{name}: {value}" for name, value in vars(options).items() if name in PLANNED)]


def tables() -> list[Any]:
    """The migrations of this job's tables."""
    from lib.topics.tables import migrations

    return [migrations]


@job(
    SCHEDULE, migrations=tables, plan=plan, output="articles", headline=("coherence_npmi", "Coherence (NPMI)", "number")
)
@click.option(
    "--articles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A CSV file, an archive of them, or a folder; may be repeated.  [default: articles in the data folder]",
)
@click.option(
    "--text", type=click.Choice(["both", "title", "content"]), default="both", show_default=True, help="What to read."
)
@click.option(
    "--topics", type=NumberOrAuto(1, 1000), default=10, show_default=True, help='How many topics, or "auto": it tries.'
)
@click.option("--passes", type=click.IntRange(1, 1000), default=30, show_default=True, help="Passes, at most.")
@click.option(
    "--engine", type=click.Choice(["compiled", "gensim"]), default="compiled", show_default=True, help="Who trains."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of all that is random.")
@click.option(
    "--start", type=click.Choice(["last", "fresh"]), default="last", show_default=True, help="Where training starts."
)
@click.option("--phrases/--no-phrases", default=True, show_default=True, help="Join common pairs, as white_house.")
@click.option(
    "--fetch/--no-fetch", default=True, show_default=True, help="Fetch NLTK's stop words where they are missing."
)
@click.option("--print-topics", is_flag=True, help="Print the topics on stdout in gensim's own notation.")
def model_topics(run: Any, options: Any) -> None:
    """Find the topics in the week's articles, and report on them."""
    # gensim takes most of a second to load, which --help need not wait for
    from lib.files import is_demo, shown
    from lib.reports import settings_list
    from lib.topics import files
    from lib.topics import tables as topic_tables
    from lib.topics.articles import read_articles
    from lib.topics.choose import choose_topics, numbers_for, trying
    from lib.topics.corpus import build_corpus
    from lib.topics.documents import read_documents
    from lib.topics.history import carried, fading_of, history_of, start_of
    from lib.topics.judgement import judge, judging
    from lib.topics.model import fit_topics, infer_topics, work
    from lib.topics.page import finished
    from lib.topics.phrases import learn_phrases
    from lib.topics.sources import csv_files
    from lib.topics.summary import summarise
    from lib.topics.text import stop_words
    from lib.topics.tracking import track

    paths = csv_files(options.articles or [run.settings.data / DEFAULT_ARTICLES])
    run.demo = run.demo or is_demo(paths)
    with run.stage("reading", unit="articles") as advance:
        found = read_articles(paths, text=options.text, reject=run.reject, repaired=run.repaired)
        documents = read_documents(found, run.folder, options.text, run.reject, advance)

    stop, stop_list = stop_words(run.settings.data, fetch=options.fetch)
    phrases = None
    if options.phrases:
        with run.stage("phrases", 2 * len(documents), "articles") as advance:
            phrases = learn_phrases(documents, stop, advance)
    history = history_of(run.db, run.settings.data, run.date, demo=run.demo)
    with run.stage("bags of words", 2 * len(documents), "articles") as advance:
        corpus = build_corpus(documents, stop, phrases, advance, carried(history, options.start))
    documents.close()

    numbers = numbers_for(options.topics, corpus, history.topics)
    with run.stage("how many topics", trying(corpus, numbers), "articles") as advance:
        choice = choose_topics(corpus, numbers, last=history.topics, seed=options.seed, advance=advance)
    start = start_of(history, options.start, corpus, choice.topics)
    how = {"passes": options.passes, "engine": options.engine, "start": start}
    with run.stage("topics", work(corpus, **how), "articles") as advance:
        model = fit_topics(corpus, topics=choice.topics, seed=options.seed, advance=advance, **how)
    with run.stage("weights", len(corpus), "articles") as advance:
        weights = infer_topics(model, corpus, advance)
    with run.stage("judgement", judging(corpus), "articles") as advance:
        judged = judge(model, corpus, choice, seed=options.seed, advance=advance)
    with run.stage("summary"):
        summary, weeks = track(history, summarise(model, corpus, weights, judged.stability), model, corpus, weights)
        files.save_model(run.folder, model, corpus, weights, fading_of(history, options.start, corpus, model))
        new, seen_some = topic_tables.new_articles(run.db, run.date, corpus.article_ids())

    if options.print_topics:
        run.lines = [words for _, words in model.print_topics(num_topics=-1, num_words=10)]
    run.metrics = files.metrics(summary, weeks, judged, corpus, new)
    run.save(lambda db: topic_tables.save(db, run.id, run.date, corpus.articles, summary, weights, weeks))
    run.message = files.one_sentence(summary, len(corpus), new)
    with run.stage("charts"):
        page = finished(summary, corpus, weeks, judged, new=new, first_time=not seen_some)
    run.report(
        "model_topics.html",
        packages=("gensim", "numba", "nltk", "numpy"),
        stop_list=stop_list,
        settings=settings_list(vars(options).items()),
        files=[shown(path) for path in paths],
        **page,
    )


def demo(data: Path) -> list[list[str]]:
    """Write demo articles of three weeks under `data`; returns the options of a run each."""
    from lib.topics.demo import SUNDAYS, write_demo_weeks

    paths = write_demo_weeks(data / "articles")
    return [
        ["--articles", str(path), "--date", str(day), "--passes", "40", "--no-fetch"]
        for path, day in zip(paths, SUNDAYS, strict=True)
    ]


if __name__ == "__main__":
    model_topics()
