"""Say what is in pictures, by the champion. By hand; it is no job and writes nothing.

    python -m jobs.classify cat.jpg photos/*.png

The champion names one of its 100 classes also where none of them is in the picture.
"""

import sys
from pathlib import Path
from typing import Any

import click

from lib.errors import BadData, SourceUnavailable
from lib.streams import by_hand

LIKELIEST = 5
EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 65 a picture can't be read, 69 no champion, 78 bad settings."


@click.command(name="classify", epilog=EPILOG)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE…", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the desk keeps its champion.  [default: data]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def classify(images: tuple[Path, ...], data: Path | None, as_json: bool) -> None:
    """Say what is in pictures: the champion's five likeliest classes, and the superclass.

    Pictures that can't be read are named on stderr, and the others classified all the same.
    """
    said: dict[str, Any] = {"model": None, "images": []}
    by_hand(said, lambda: _classify(images, data, said, as_json=as_json), as_json=as_json)


def _classify(images: tuple[Path, ...], data: Path | None, said: dict[str, Any], *, as_json: bool) -> int:
    """Fill `said`, print what isn't JSON, and return the exit code."""
    from lib.images.champion import load_champion
    from lib.images.pictures import plain, read_picture
    from lib.settings import load_settings, read_settings_file
    from lib.store import open_to_read
    from lib.supervise import sentence

    settings = load_settings(read_settings_file()[0], {"data": data})
    pictures: list[Any] = []
    for path in images:
        try:
            pictures.append(read_picture(path))
        except BadData as fault:
            pictures.append(None)
            said["images"].append({"file": plain(path), "error": sentence(str(fault))})
            print(sentence(str(fault)), file=sys.stderr)
    code = BadData.exit_code if said["images"] else 0
    good = [picture for picture in pictures if picture is not None]
    if not good:
        return code
    db = open_to_read(settings.data)
    standing = load_champion(db, settings.data) if db else None
    if db:
        db.close()
    for note in standing.notes if standing else ():
        print(note, file=sys.stderr)
    if standing is None or standing.model is None or standing.card is None:
        raise SourceUnavailable(
            f"there is no champion in {settings.data}; train one first: python -m jobs.retrain_cnn, or name the folder "
            "that has one with --data"
        )
    from lib.images.answers import answer  # brings Keras, which takes seconds

    said["model"] = {name: standing.card[name] for name in ("id", "date", "recipe", "metrics")}
    answers = iter(answer(standing.model, standing.card, good, LIKELIEST))
    failed = iter(said["images"])
    said["images"] = [
        next(failed) if picture is None else {"file": plain(path), **next(answers)}
        for path, picture in zip(images, pictures, strict=True)
    ]
    if not as_json:
        print("\n\n".join(_as_text(each) for each in said["images"] if "classes" in each))
    return code


def _as_text(each: dict[str, Any]) -> str:
    return "\n".join(
        [
            each["file"],
            *(f"{one['probability']:7.1%}  {one['class']} ({one['superclass']})" for one in each["classes"]),
            f"{each['superclass']['probability']:7.1%}  superclass {each['superclass']['name']}",
        ]
    )


if __name__ == "__main__":
    classify(prog_name="python -m jobs.classify")
