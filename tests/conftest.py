"""What tests of every part share."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lib.tweets.fake_jetstream import FakeJetstream, running_fake_jetstream
from tests.lib.tweets.fake_x import FakeX, running_fake_x


@pytest.fixture(scope="session", autouse=True)
def no_signal_put_off() -> None:
    """A shell's background jobs ignore Ctrl-C, those of nohup a hangup; what the tests start from there would, too."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


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


@pytest.fixture
def until() -> Callable[..., object]:
    """Wait for a condition; its first true value is returned."""

    def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> object:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return found

    return wait_until
