"""The Saturday job against a WebSocket server on loopback that stands in for Bluesky's Jetstream."""

import pytest

from tests.lib.tweets.fake_jetstream import DID, RESET, event, post, refusal, stream


@pytest.fixture
def bluesky(listener, fake_jetstream):
    """A desk whose Jetstream is the fake one."""
    listener.jetstream = fake_jetstream
    listener.at_bluesky = {"NIGHTDESK_JETSTREAM_URL": fake_jetstream.url}
    return listener


def test_a_break_is_resumed_from_the_cursor_and_shown(bluesky):
    bluesky.jetstream.plan = [stream(post(1, "a great day"), post(2), RESET), stream(post(2), post(3, "an awful day"))]
    code, said = bluesky.json("--source", "bluesky", "--minutes", "0.05", env=bluesky.at_bluesky)
    metrics = said["metrics"]
    assert (code, metrics["source"], metrics["tweets"], metrics["duplicates"]) == (0, "bluesky", 3, 1)
    assert (metrics["reconnects"], metrics["gaps"]) == (1, 1)
    assert bluesky.query("SELECT filled FROM gaps") == [(1,)]
    page = (bluesky.folder / said["report"]).read_text()
    assert f"https://bsky.app/profile/{DID}/post/k1" in page
    assert "what its author’s app declares" in page


def test_a_post_taken_back_leaves_everything(bluesky):
    commit = {"rev": "r", "operation": "delete", "collection": "app.bsky.feed.post", "rkey": "k1"}
    lines = (post(1, "a great secret"), post(2, "good"), event(3, commit=commit))
    bluesky.jetstream.plan = [stream(*lines)]
    _, said = bluesky.json("--source", "bluesky", "--minutes", "0.04", env=bluesky.at_bluesky)
    assert (said["metrics"]["tweets"], said["metrics"]["deletes"]) == (1, 1)
    left = [path for path in [*bluesky.data.rglob("*"), *bluesky.reports.rglob("*")] if path.is_file()]
    assert not [path for path in left if b"secret" in path.read_bytes()]


def test_a_server_that_is_down_all_the_time_is_69(bluesky):
    bluesky.jetstream.plan = [refusal(503)]
    done = bluesky.run("--source", "bluesky", "--minutes", "0.03", env=bluesky.at_bluesky)
    assert done.returncode == 69
    assert "503" in done.stderr.splitlines()[-1]
