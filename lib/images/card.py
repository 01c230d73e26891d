"""The model card: what lies beside the champion, and in the registry, for whoever uses the file without the desk."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from lib.images.verdict import Material
from lib.machine import describe
from lib.runs import now

CONTRACT = {
    "input": "uint8 images of the shape (N, 32, 32, 3): red, green, blue, 0 to 255; preprocessing is inside",
    "output": "float32 probabilities of the shape (N, 100), in the order of `classes`",
    "load": 'keras.models.load_model("champion.keras", compile=False, safe_mode=True)',
}
INTENDED_USE = (
    "To name the main thing in a small picture as one of the 100 classes; it always names one of them, also where "
    "none is in the picture. Not for decisions about people."
)
OF_DEMO_DATA = "Trained on demo data: of no use but to show the desk."
LICENCE = (
    "MIT, as Nightdesk's code. The training images were collected from the web by the makers of CIFAR-100, whose page "
    "names no licence for them (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images)."
)


def model_card(
    run: int,
    date: str,
    material: Material,
    *,
    recipe: str,
    seed: int,
    training: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    sha256: str,
    size: int,
) -> dict[str, Any]:
    """The card of the model that a run made, ready for JSON.

    `training` tells of backend, epochs, params, seconds and whatever else; `metrics` has `validation` and `test`, each
    with an `accuracy`; `sha256` and `size` (bytes) are those of the model's file.
    """
    return {
        "id": run,
        "made_by": f"Nightdesk, retrain_cnn, run {run}",
        "made_at": now(),
        "date": date,
        "recipe": recipe,
        "seed": seed,
        "backend": training.get("backend"),
        "training": dict(training),
        "data": {"name": "CIFAR-100", **material.as_card()},
        **CONTRACT,
        "classes": list(material.classes),
        "superclasses": list(material.superclasses),
        "superclass_of": list(material.superclass_of),
        "metrics": {name: dict(each) for name, each in metrics.items()},
        "intended_use": INTENDED_USE + (f" {OF_DEMO_DATA}" if material.demo else ""),
        "licence": LICENCE,
        "versions": {"keras": version("keras"), "numpy": version("numpy")},
        "machine": describe(),
        "file": {"name": "champion.keras", "sha256": sha256, "bytes": size},
    }
