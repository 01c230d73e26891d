"""The mood adds up, says over how many, and is told without guessing."""

import math
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tweets.afinn import load_lexicon, normalise
from lib.tweets.mood import MOST_PERIODS, Mean, Mood, bootstrap_mean, marked, summarise, t_mean
from lib.tweets.scoring import Kind
from tests.lib.tweets.made_mood import SATURDAY, scored, tweet

MINUTE = 60_000

WORDS = st.sampled_from(["good", "bad", "love", "the", "not good", "some kind", "", "#cats", "superb &amp; awful"])
TWEETS = st.lists(
    st.builds(
        lambda text, lang, ms: tweet(text, lang=lang, created_ms=ms),
        st.lists(WORDS, max_size=4).map(" ".join),
        st.sampled_from(["en", "en-GB", "es", "und", None]),
        st.one_of(st.none(), st.integers(0, 9), st.integers(SATURDAY, SATURDAY + 10**9), st.integers(0, 10**30)),
    ),
    max_size=30,
)


@given(TWEETS)
@settings(deadline=None, max_examples=60)
def test_counts_add_up(tweets):
    mood = summarise(scored(*tweets))
    assert mood.tweets == len(tweets) == mood.scored + sum(count for _, count in mood.unscored)
    assert mood.scored == mood.positive + mood.negative + mood.neutral
    assert mood.nonzero == mood.positive + mood.negative
    assert mood.no_words <= mood.neutral
    assert mood.scored <= mood.english <= mood.tweets
    assert sum(count for _, count in mood.distribution) == mood.scored
    assert sum(valence * count for valence, count in mood.distribution) == mood.sum
    assert sum(count for _, count in mood.languages) == mood.tweets
    assert sum(period.scored for period in mood.course) + mood.undated == mood.scored
    assert len(mood.course) <= 100
    if mood.mean:
        assert mood.mean.count == mood.scored
        assert mood.mean.value == pytest.approx(mood.sum / mood.scored)


def test_without_tweets_there_are_no_means_and_no_nans():
    for tweets in ([], scored(tweet("hola", lang="es"), tweet(" "), tweet("good", lang=None))):
        mood = summarise(tweets)
        assert mood.mean is mood.mean_nonzero is mood.covered is mood.covered_words is None
        assert mood.distribution == mood.course == mood.most_positive == mood.most_negative == []
        assert not any(isinstance(value, float) and math.isnan(value) for value in vars(mood).values())


def test_only_zeros_have_a_mean_of_zero_and_none_without_zeros():
    mood = summarise(scored("the cat", "a dog"))
    assert mood.mean == Mean(0.0, 0.0, 0.0, 2)
    assert mood.mean_nonzero is None


def test_what_was_not_scored_is_counted_by_its_reason_and_is_not_neutral():
    mood = summarise(scored(tweet("malo", lang="es"), tweet("bad", lang="und"), tweet("bad", lang=None), tweet(" ")))
    assert mood.unscored == [(Kind.NOT_ENGLISH, 1), (Kind.NO_LANGUAGE, 2), (Kind.NO_TEXT, 1)]
    assert mood.neutral == mood.negative == 0
    assert mood.english == 1
    assert mood.languages == [("no language", 2), ("en", 1), ("es", 1)]


def test_neutral_tweets_are_those_without_words_and_those_that_balance():
    mood = summarise(scored("the cat", "good bad", "some kind"))
    assert (mood.neutral, mood.no_words) == (3, 1)


def test_the_distribution_has_every_integer_between_its_ends():
    distribution = summarise(scored("bad", "love", "the")).distribution
    assert distribution == [(-3, 1), (-2, 0), (-1, 0), (0, 1), (1, 0), (2, 0), (3, 1)]


def test_the_bootstrap_is_that_of_resampled_tweets():
    values = [-3] * 40 + [0] * 100 + [1] * 30 + [4] * 30
    mean = bootstrap_mean(Counter(values), seed=1)
    draws = np.random.default_rng(2).choice(values, (10_000, len(values))).mean(axis=1)
    assert mean is not None
    assert mean.low == pytest.approx(np.quantile(draws, 0.025), abs=0.02)
    assert mean.high == pytest.approx(np.quantile(draws, 0.975), abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_one_value_has_none():
    histogram = {-2: 30, 0: 50, 3: 40}
    assert bootstrap_mean(histogram, 7) == bootstrap_mean(histogram, 7) != bootstrap_mean(histogram, 8)
    assert bootstrap_mean({3: 1}, 7) == t_mean(1, 3, 9) == Mean(3.0, None, None, 1)


def test_students_interval_is_that_of_the_tables():
    values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    mean = t_mean(len(values), sum(values), sum(value * value for value in values))
    assert mean is not None
    assert mean.high is not None
    assert mean.high - mean.value == pytest.approx(2.262157 * np.std(values, ddof=1) / np.sqrt(10))


def test_the_course_has_every_minute_also_those_without_tweets():
    mood = summarise(scored(*(tweet("good", created_ms=SATURDAY + at * MINUTE) for at in (0, 0, 3))))
    assert mood.period == "minute"
    assert [(period.start_ms - SATURDAY) // MINUTE for period in mood.course] == [0, 1, 2, 3]
    assert [period.scored for period in mood.course] == [2, 0, 0, 1]
    assert [period.mean and period.mean.value for period in mood.course] == [3.0, None, None, 3.0]


@pytest.mark.parametrize(
    ("minutes", "period"),
    [(59, "minute"), (120, "ten minutes"), (1500, "hour"), (20 * 1440, "day"), (400 * 1440, "month")],
)
def test_the_period_grows_with_the_window(minutes, period):
    times = (SATURDAY + minutes * MINUTE * part // 40 for part in range(40))
    mood = summarise(scored(*(tweet("good", created_ms=time) for time in times)))
    assert mood.period == period
    assert 2 <= len(mood.course) <= MOST_PERIODS


@pytest.mark.parametrize("wild", [0, -5, 1000, SATURDAY - 10**12, SATURDAY + 10**12, 10**17, 10**40])
def test_a_wild_time_makes_no_empty_minutes(wild):
    usual = [tweet("good", created_ms=SATURDAY + second * 1000) for second in range(0, 600, 10)]
    mood = summarise(scored(*usual, tweet("bad", created_ms=wild)))
    assert (mood.period, len(mood.course), mood.undated) == ("minute", 10, 1)


def test_hashtags_count_once_a_tweet_in_any_case_and_are_shown_as_most_write_them():
    tags = [("Cats", "CATS"), ("Cats",), ("cats",), ("Dogs",)]
    tweets = scored(
        tweet("good", hashtags=tags[0]),
        tweet("bad", hashtags=tags[1]),
        tweet("malo", hashtags=tags[2], lang="es"),
        tweet("hola", hashtags=tags[3], lang="es"),
    )
    cats, dogs = summarise(tweets).hashtags
    assert (cats.tag, cats.tweets, cats.scored, cats.mean) == ("Cats", 3, 2, 0.0)
    assert (dogs.tag, dogs.tweets, dogs.scored, dogs.mean) == ("Dogs", 1, 0, None)


def test_a_storm_of_retweets_is_one_text():
    storm = [f"RT @someone: what a superb day https://t.co/{number} @friend{number}" for number in range(9)]
    mood = summarise(scored(*storm, "good", "what a superb day", "bad"))
    assert [(each.valence, each.times) for each in mood.most_positive] == [(5, 10), (3, 1)]
    assert [each.valence for each in mood.most_negative] == [-3]


def test_of_equal_scores_the_one_of_more_entries_and_then_the_older_comes_first():
    mood = summarise(scored(tweet("love it", 900), tweet("love them", 1000), tweet("like yes", 2000)))
    assert [each.id for each in mood.most_positive] == ["2000", "900", "1000"]


def test_extremes_are_marked_as_they_were_scored():
    text = "I LOVE &amp; love it, not good"
    (afinn,) = summarise(scored(text)).most_positive
    assert afinn.pieces == [("I ", None), ("LOVE", 3), (" & ", None), ("love", 3), (" it, ", None), ("not good", -2)]
    (words,) = summarise(scored(text, rule="words"), rule="words").most_positive
    assert words.pieces == [("I LOVE & ", None), ("love", 3), (" it, not ", None), ("good", 3)]


@given(
    st.lists(st.sampled_from(["good", "bad", " ", "\t", "&amp;", "Good", "can't", "x\u00a0y"]), max_size=12).map(
        "".join
    )
)
def test_marked_pieces_make_up_the_text_and_the_score(text):
    for rule in ("afinn", "words"):
        pieces = marked(text, rule, load_lexicon())
        assert "".join(piece for piece, _ in pieces) == normalise(text)
        (each,) = scored(tweet(text or "."), rule=rule)
        assert sum(valence or 0 for _, valence in pieces) == each.valence


def test_a_text_of_a_novels_length_is_cut():
    (extreme,) = summarise(scored("good " * 5000)).most_positive
    assert extreme.valence == 15_000
    assert len("".join(piece for piece, _ in extreme.pieces)) <= 601


def test_coverage_counts_words_as_the_rule_does():
    mood = summarise(scored("can't stand this", "the cat"))
    assert mood.covered == 0.5
    assert mood.covered_words == pytest.approx(3 / 6)  # can, t and stand, of six
    assert summarise(scored("good good! cat", rule="words"), rule="words").covered_words == pytest.approx(1 / 3)


def test_every_field_is_told():
    assert {field.name for field in fields(Mood)} == set(vars(summarise(scored("good"))))
