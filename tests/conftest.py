"""What tests of every part share."""

import signal
from collections.abc import Iterator

import pytest

from tests.lib.tweets.fake_jetstream import FakeJetstream, running_fake_jetstream
from tests.lib.tweets.fake_x import FakeX, running_fake_x


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would what the tests start from there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def fake_x() -> Iterator[FakeX]:
    """A server on loopback that stands in for X; its streams are silent until the test plans others."""
    with running_fake_x() as fake:
        yield fake


@pytest.fixture
def fake_jetstream() -> Iterator[FakeJetstream]:
    """A server on loopback that stands in for Jetstream; its streams are silent until the test plans others."""
    with running_fake_jetstream() as fake:
        yield fake
