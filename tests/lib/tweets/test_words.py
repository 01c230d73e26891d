"""The words' parts add up to the mean and to its change; terms are inferred from distinct texts alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tweets.afinn import load_lexicon
from lib.tweets.mood import summarise
from lib.tweets.words import MOVED, Tally, Way, contributions, inferred_terms, shift, tally, terms
from tests.lib.tweets.made_mood import scored, tweet

LEXICON = load_lexicon()
TEXTS = st.lists(
    st.lists(st.sampled_from(["good", "bad", "love", "not good", "some kind", "the", "cat"]), max_size=5).map(" ".join),
    max_size=20,
)
TALLIES = st.builds(
    Tally,
    st.integers(1, 500),
    st.dictionaries(st.sampled_from(list(LEXICON.valences)[:60]), st.integers(1, 99), max_size=40).map(
        lambda counts: {entry: (LEXICON.valences[entry], count) for entry, count in counts.items()}
    ),
)


@given(TEXTS)
@settings(deadline=None, max_examples=50)
def test_contributions_add_up_to_the_mean(texts):
    tweets = scored(*texts, tweet("odio", lang="es"))
    mean = summarise(tweets).mean
    assert sum(word.contribution for word in contributions(tally(tweets))) == pytest.approx(mean.value if mean else 0)


def test_contributions_are_ranked_by_size_whatever_their_sign():
    shares = contributions(tally(scored("good good", "bad", "yes")))
    assert [(word.entry, word.valence, word.count, word.contribution) for word in shares] == [
        ("good", 3, 2, 2.0),
        ("bad", -3, 1, -1.0),
        ("yes", 1, 1, pytest.approx(1 / 3)),
    ]


@given(TALLIES, TALLIES)
def test_the_shift_adds_up_to_the_difference_of_the_means(now, before):
    its = shift(now, before)
    assert its is not None
    assert sum(word.change for word in its.words) + its.rest == pytest.approx(now.mean - before.mean, abs=1e-9)
    assert its.difference == pytest.approx(now.mean - before.mean)
    assert len(its.words) <= MOVED
    sizes = [abs(word.change) for word in its.words]
    assert sizes == sorted(sizes, reverse=True)


def test_a_word_moves_the_mean_in_one_of_four_ways():
    now = Tally(10, {"good": (3, 9), "love": (3, 1), "bad": (-3, 5), "hate": (-3, 1)})
    before = Tally(10, {"good": (3, 1), "love": (3, 9), "bad": (-3, 1), "hate": (-3, 5)})
    its = shift(now, before)
    assert its is not None
    assert {word.entry: (word.way, word.change > 0) for word in its.words} == {
        "good": (Way.POSITIVE_MORE, True),
        "love": (Way.POSITIVE_LESS, False),
        "bad": (Way.NEGATIVE_MORE, False),
        "hate": (Way.NEGATIVE_LESS, True),
    }


def test_how_often_is_by_tweet_and_not_by_count():
    its = shift(Tally(200, {"good": (3, 20)}), Tally(100, {"good": (3, 10)}))
    assert its is not None
    assert its.words == []


@pytest.mark.parametrize("before", [None, Tally(0, {})])
def test_without_a_saturday_before_there_is_no_shift(before):
    assert shift(tally(scored("good")), before) is None
    assert shift(Tally(0, {}), tally(scored("good"))) is None


def test_terms_are_words_and_not_links_mentions_numbers_or_what_is_cut_off():
    text = "RT @someone: don&#39;t #MondayMorning ab 2019 4ever x9x_y café https://t.co/abcdef wonderf… www it’s"
    assert terms(text) == {"don't", "mondaymorning", "café", "www", "it's"}


def company(word: str, others: str, count: int) -> list[str]:
    return [f"{others} {word} number{'abcdefghijklmnopqrstuvwxyz'[place]}" for place in range(count)]


def test_terms_keep_the_company_of_the_words_around_them():
    texts = company("garden", "love", 12) + company("traffic", "hate", 12) + company("window", "good bad", 12)
    found = {term.word: term for term in inferred_terms(scored(*texts), LEXICON)}
    assert set(found) == {"garden", "traffic"}
    assert found["garden"].support == 12
    assert (found["garden"].mean, found["traffic"].mean) == (3, -3)
    assert found["garden"].score == pytest.approx((12 * 3 + 20 * 0) / 32)
    assert found["garden"].difference > 0 > found["traffic"].difference


def test_a_storm_of_retweets_is_one_voice():
    storm = [tweet(f"RT @fan{place}: love my garden https://t.co/{place}", place) for place in range(50)]
    assert inferred_terms(scored(*storm, *company("traffic", "hate", 12)), LEXICON, least=2)[-1].word == "traffic"
    assert "garden" not in {term.word for term in inferred_terms(scored(*storm), LEXICON, least=2)}


def test_terms_with_little_support_are_not_told_and_the_lists_own_words_never():
    few = scored(*company("garden", "love", 9), *company("traffic", "hate", 9))
    assert inferred_terms(few, LEXICON) == []
    assert not {term.word for term in inferred_terms(few, LEXICON, least=1)} & set(LEXICON.valences)
    assert inferred_terms([], LEXICON) == []


def test_more_support_is_drawn_less_to_the_mean_of_all():
    texts = company("garden", "love", 12) + company("kitchen", "love", 24) + company("traffic", "hate", 25)
    found = {term.word: term for term in inferred_terms(scored(*texts), LEXICON)}
    assert found["kitchen"].mean == found["garden"].mean
    assert found["kitchen"].score > found["garden"].score
