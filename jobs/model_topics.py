"""Find the topics in the week's articles, and report on them.

    python -m jobs.model_topics --articles data/articles

Reads CSV files in the "All the news" schema (folders of them, .gz, .bz2, .xz, the zip as downloaded), trains gensim's
LDA and writes reports/model_topics/DATE.html.
"""

from pathlib import Path
from typing import Any

import click

from lib.command import job
from lib.schedules import Schedule

SCHEDULE = Schedule("sun 06:00", catch_up="latest", deadline="2h")
DEFAULT_ARTICLES = "articles"  # in the data folder


def plan(options: Any) -> list[str]:
    """What --dry-run prints."""
    from lib.topics.sources import csv_files

    files = csv_files(options.articles or [options.data / DEFAULT_ARTICLES])
    size = sum(path.stat().st_size for path in files)
    return [
        *(f"reads {path}" for path in files),
        f"{len(files)} files of {size / 2**20:.1f} MiB; {options.topics} topics, start: {options.start}, "
        f"{options.passes} passes, seed {options.seed}, text: {options.text}, "
        f"phrases: {'yes' if options.phrases else 'no'}",
    ]


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
@click.option("--topics", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many topics, K.")
@click.option("--passes", type=click.IntRange(1, 1000), default=6, show_default=True, help="Passes over the corpus.")
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
    from lib.topics.corpus import build_corpus
    from lib.topics.documents import read_documents
    from lib.topics.history import carried, fading_of, history_of, start_of
    from lib.topics.model import chunk_size, fit_topics, infer_topics, training_articles
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

    training = len(training_articles(corpus))
    with run.stage("topics", training * options.passes, "articles") as advance:
        start = start_of(history, options.start, corpus, options.topics)
        model = fit_topics(
            corpus, topics=options.topics, passes=options.passes, seed=options.seed, advance=advance, start=start
        )
    with run.stage("weights", len(corpus), "articles") as advance:
        weights = infer_topics(model, corpus, advance)
    with run.stage("summary"):
        summary, weeks = track(history, summarise(model, corpus, weights), model, corpus, weights)
        files.save_model(run.folder, model, corpus, weights, fading_of(history, options.start, corpus, model))
        known = topic_tables.seen_before(run.db, run.date)
        new = sum(article.id not in known for article in corpus.articles)

    if options.print_topics:
        run.lines = [words for _, words in model.print_topics(num_topics=-1, num_words=10)]
    run.metrics = {
        "articles": len(corpus),
        "new_articles": new,
        "tokens": corpus.tokens,
        "vocabulary": len(corpus.dictionary),
        "topics": files.topics_json(summary, weeks),
        "coherence_npmi": summary.coherence,
        "bound_per_word": summary.bound,
    }
    run.save(lambda db: topic_tables.save(db, run.id, run.date, corpus.articles, summary, weights, weeks))
    run.message = files.one_sentence(summary, len(corpus), new)
    with run.stage("charts"):
        page = finished(summary, corpus, weeks, new=new, first_time=not known)
    run.report(
        "model_topics.html",
        packages=("gensim", "nltk", "numpy"),
        stop_list=stop_list,
        settings=settings_list([*vars(options).items(), ("chunk size", chunk_size(training))]),
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
