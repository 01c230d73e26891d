"""What gensim's users do with an `LdaModel` they can do with `Lda`, and with what it saves."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel, LdaModel
from scipy.special import psi

from lib.topics.lda import Lda
from tests.lib.topics.made import PLANTED, planted_texts
from tests.lib.topics.models import drawn_topics, gensims_inference, model_of

TEXTS = planted_texts()
WORDS = Dictionary(TEXTS)
BAGS = [WORDS.doc2bow(text) for text in TEXTS]
SHIP = WORDS.doc2bow(["ship", "sail", "sail"])


def trained(**settings: Any) -> Lda:
    settings = {"num_topics": 3, "passes": 10, "random_state": 1, **settings}
    return Lda(corpus=BAGS, id2word=WORDS, **settings)


def found(model: LdaModel) -> list[list[str]]:
    return sorted(sorted(WORDS[word] for word in np.argsort(-row)[:8]) for row in model.get_topics())


@pytest.mark.parametrize("alpha", ["symmetric", "asymmetric", "auto", [0.1, 0.2, 0.3]])
@pytest.mark.parametrize("eta", [None, "auto", 0.01])
def test_gensims_own_training_finds_the_planted_topics(alpha: Any, eta: Any) -> None:
    model = trained(alpha=alpha, eta=eta, chunksize=40)
    assert found(model) == sorted(map(sorted, PLANTED))
    assert np.isfinite(model.alpha).all()
    assert (alpha == "auto") == (model.optimize_alpha and len(set(model.alpha.tolist())) == 3)
    assert (eta == "auto") == (len(set(model.eta.tolist())) > 1)


def test_training_in_gensims_steps_ends_where_gensims_training_ends() -> None:
    ours = trained(passes=30, iterations=200, gamma_threshold=1e-5)
    gensims = LdaModel(
        corpus=BAGS, id2word=WORDS, num_topics=3, passes=30, random_state=1, iterations=200, gamma_threshold=1e-5
    )
    assert found(ours) == found(gensims)
    assert ours.log_perplexity(BAGS) == pytest.approx(float(gensims.log_perplexity(BAGS)), rel=1e-3)


def test_training_may_go_on_with_update_and_in_double_precision() -> None:
    for precision in (np.float32, np.float64):
        model = trained(passes=1, dtype=precision, alpha="auto", eta="auto", eval_every=1, chunksize=50)
        model.update(BAGS, passes=10, chunks_as_numpy=True)
        assert found(model) == sorted(map(sorted, PLANTED))


def test_what_it_saves_gensim_loads_alone_and_so_do_we(tmp_path: Path) -> None:
    model = trained()
    model.save(str(tmp_path / "lda"))
    script = f"""
import sys
from gensim.models import LdaModel
model = LdaModel.load({str(tmp_path / "lda")!r})
assert type(model) is LdaModel
assert not any(name.split(".")[0] == "lib" for name in sys.modules)
model.update([[(0, 1)]])
sys.stdout.write(repr(model.show_topics()) + repr(sorted(vars(model))))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "threads" not in done.stdout
    loaded = Lda.load(str(tmp_path / "lda"))
    assert type(loaded) is Lda
    assert loaded.show_topics() == model.show_topics()
    np.testing.assert_array_equal(loaded.inference(BAGS)[0], Lda.of(model.plain()).inference(BAGS)[0])


def test_coherence_models_take_it() -> None:
    coherence = CoherenceModel(model=trained(), corpus=BAGS, dictionary=WORDS, coherence="u_mass", topn=8)
    assert len(coherence.get_coherence_per_topic()) == 3
    assert np.isfinite(coherence.get_coherence())


def test_topics_of_documents_words_and_models() -> None:
    model = trained()
    topic = int(np.argmax([row[WORDS.token2id["ship"]] for row in model.get_topics()]))
    topics, of_words, phi = model.get_document_topics(SHIP, per_word_topics=True)
    assert max(topics, key=lambda each: each[1])[0] == topic
    assert {word: best[0] for word, best in of_words} == {word: topic for word, _ in SHIP}
    shares = {word: sum(share for _, share in each) for word, each in phi}
    assert shares == pytest.approx({word: float(count) for word, count in SHIP}, rel=0.01)
    assert model[SHIP] == model.get_document_topics(SHIP)
    assert [max(each, key=lambda found: found[1])[0] for each in model[[SHIP, SHIP]]] == [topic, topic]
    assert [each for each, _ in model.get_term_topics(WORDS.token2id["ship"], 0.01)] == [topic]
    assert len(model.show_topics(num_words=3, formatted=False)[0][1]) == 3
    assert len(model.print_topics()) == 3
    assert dict(model.show_topic(topic, 8)).keys() == set(PLANTED[0])
    assert len(model.top_topics(BAGS, topn=5)) == 3
    difference, _ = model.diff(model, distance="jaccard", num_words=5)
    np.testing.assert_allclose(np.diag(difference), 0)
    assert str(model).startswith("Lda")


def test_what_pyldavis_asks_of_a_model_is_there() -> None:
    # pyLDAvis.gensim_models.prepare: corpus2csc(corpus), dictionary.token2id, topic_model.inference(corpus)[0],
    # topic_model.num_topics, topic_model.get_topics() or, for older models, topic_model.state.get_lambda()
    model = trained()
    gamma, statistics = model.inference(BAGS)
    assert statistics is None
    assert gamma.shape == (len(BAGS), model.num_topics)
    shares = gamma / gamma.sum(axis=1)[:, None]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    topics = model.state.get_lambda()
    np.testing.assert_allclose(topics / topics.sum(axis=1)[:, None], model.get_topics(), rtol=1e-5)
    assert model.alpha.shape == (3,)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_answers_as_the_model_does(again: Any) -> None:
    model = trained()
    other = again(model)
    assert type(other) is Lda
    np.testing.assert_array_equal(other.inference(BAGS)[0], model.inference(BAGS)[0])
    other.sync_state()
    np.testing.assert_array_equal(other.inference(BAGS)[0], model.inference(BAGS)[0])


def test_what_others_set_is_honoured() -> None:
    model, other = trained(), drawn_topics(3, len(WORDS), seed=5)
    start = np.ones((len(BAGS), 3), np.float32)
    reference = model_of(LdaModel, other, iterations=model.iterations, gamma_threshold=model.gamma_threshold)
    expected, _ = gensims_inference(reference, BAGS, start)
    reference.alpha = model.alpha

    model.expElogbeta = reference.expElogbeta
    np.testing.assert_allclose(model.inference(BAGS, start=start)[0], expected, rtol=1e-3)
    model.sync_state()
    assert not np.allclose(model.inference(BAGS, start=start)[0], expected, rtol=1e-3)
    model.expElogbeta[:] = reference.expElogbeta
    np.testing.assert_allclose(model.inference(BAGS, start=start)[0], expected, rtol=1e-3)
    model.sync_state()
    model.sync_state(psi(other + 0.5) - psi((other + 0.5).sum(axis=1, keepdims=True)))
    np.testing.assert_allclose(
        model.expElogbeta, np.exp(psi(other + 0.5) - psi((other + 0.5).sum(axis=1, keepdims=True))), rtol=1e-5
    )
    model.state.sstats = other
    model.sync_state()
    np.testing.assert_allclose(model.inference(BAGS, start=start)[0], expected, rtol=1e-3)


def test_a_model_of_gensims_becomes_ours_and_back() -> None:
    gensims = LdaModel(corpus=BAGS, id2word=WORDS, num_topics=3, random_state=1)
    ours = Lda.of(gensims)
    start = np.ones((len(BAGS), 3), np.float32)
    np.testing.assert_allclose(
        ours.inference(BAGS, start=start)[0], gensims_inference(gensims, BAGS, start)[0], rtol=1e-3
    )
    assert type(ours.plain()) is LdaModel
    assert ours.plain().show_topics() == gensims.show_topics()
