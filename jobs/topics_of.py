"""Say what texts are about, by the last run's topics. By hand; it is no job and writes nothing.

    python -m jobs.topics_of letter.txt
    pdftotext report.pdf - | python -m jobs.topics_of -

The model gives every text to the topics that it has, also one that is about something else: see the words that say so.
"""

import sys
from pathlib import Path
from typing import Any

import click

from lib.errors import BadData, SourceUnavailable
from lib.streams import by_hand

WORDS = 5  # a topic, on a terminal
LEAST_USES = 0.5  # of a word that says something, on a terminal
EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 65 a text can't be read, 69 no topics, 78 bad settings."


@click.command(name="topics_of", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the desk keeps its topics.  [default: data]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def topics_of(files: tuple[Path, ...], data: Path | None, as_json: bool) -> None:
    """Say what texts are about: the last run's topics, the largest first, and the words that say so.

    FILE is a text in UTF-8 (or cp1252), or - for standard input. Those that can't be read are named on stderr, and the
    others told all the same.
    """
    said: dict[str, Any] = {"run": None, "texts": []}
    by_hand(said, lambda: _topics_of(files, data, said, as_json=as_json), as_json=as_json)


def _topics_of(files: tuple[Path, ...], data: Path | None, said: dict[str, Any], *, as_json: bool) -> int:
    """Fill `said`, print what isn't JSON, and return the exit code."""
    from lib.logs import printable
    from lib.settings import load_settings, read_settings_file
    from lib.store import open_to_read
    from lib.supervise import sentence
    from lib.topics.of_text import read_text, told_json, topics_of_text
    from lib.topics.tables import last_topics

    settings = load_settings(read_settings_file()[0], {"data": data})

    def refuse(each: dict[str, Any], fault: BadData) -> None:
        each["error"] = sentence(str(fault))
        print(each["error"], file=sys.stderr)

    texts: list[str] = []
    for path in files:
        said["texts"].append({"file": printable(str(path))})
        try:
            texts.append(read_text(path))
        except BadData as fault:
            texts.append("")
            refuse(said["texts"][-1], fault)
    if any(texts):
        db = open_to_read(settings.data)
        last = last_topics(db) if db else None
        if db:
            db.close()
        if last is None or last.folder is None:
            raise SourceUnavailable(
                f"there are no topics in {settings.data}; find some first: python -m jobs.model_topics, or name the "
                "folder that has them with --data"
            )
        from lib.topics.files import load_model  # brings gensim, which takes a second
        from lib.topics.text import stop_words

        model = load_model(settings.data / last.folder)
        if set(last.topics) != set(range(model.num_topics)):
            raise BadData(f"run {last.run}'s topics in the store are not those in {last.folder}; run the job again")
        stop, _ = stop_words(settings.data, fetch=False)
        said["run"] = {"id": last.run, "date": last.date, "demo": last.demo, "topics": model.num_topics}
        for each, text in zip(said["texts"], texts, strict=True):
            if text:
                try:
                    each |= told_json(topics_of_text(model, text, stop), last.topics)
                except BadData as fault:
                    refuse(each, BadData(f"can't say what {each['file']} is about: {fault}"))
    told = [each for each in said["texts"] if "topics" in each]
    if told and not as_json:
        print("\n\n".join(_as_text(each) for each in told))
    return 0 if len(told) == len(files) else BadData.exit_code


def _as_text(each: dict[str, Any]) -> str:
    """A line a topic: its share, its id, its label, and the words that say so with how often they do."""
    from rich.cells import cell_len

    from lib.logs import printable

    said = [[word for word in topic["words"][:WORDS] if word["uses"] >= LEAST_USES] for topic in each["topics"]]
    shown = [(topic, words) for topic, words in zip(each["topics"], said, strict=True) if words] or [
        (each["topics"][0], each["topics"][0]["words"][:WORDS])
    ]
    wide = max(cell_len(printable(topic["label"])) for topic, _ in shown)
    id_wide = max(len(str(topic["id"])) for topic, _ in shown)
    lines = [f"{each['file']}: {each['words']:,} words, {each['unknown']:.0%} of them unknown to the model"]
    for topic, words in shown:
        label, share = printable(topic["label"]), topic["share"]
        told = ", ".join(
            word["word"].replace("_", " ") + (f" {word['count']}×" if word["count"] > 1 else "") for word in words
        )
        room = " " * (wide - cell_len(label))
        lines.append(f"{share:7.1%}  {topic['id']:{id_wide}}  {label}{room}  {printable(told)}")
    others = len(each["topics"]) - len(shown) + each["others"]
    if others:
        rest = max(0.0, 1 - sum(topic["share"] for topic, _ in shown))
        lines.append(f"{rest:7.1%}  {'':{id_wide}}  {f'{others} others' if others > 1 else 'one other'}")
    return "\n".join(lines)


if __name__ == "__main__":
    topics_of(prog_name="python -m jobs.topics_of")
