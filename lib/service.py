"""The service: starts each job at its fire times, in a process of its own, and looks at the desk every ten minutes.

    python -m jobs

A job outlives the service, however that ends. Two services on one desk, cron beside it or a hand are allowed: all start
the same command, the job's kernel lock lets one run work, and the others are skipped (exit code 75). Settings are read
at the start.
"""

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from lib.errors import Busy, DeskError, as_desk_error
from lib.launch import Command, Started, job_command, launch, run_of
from lib.schedules import TICK_MINUTES, Schedule
from lib.servicelog import ServiceLog
from lib.settings import Settings
from lib.store import open_store
from lib.supervise import sentence
from lib.tick import After, Order, tick

SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL = 0.25  # seconds between two looks at signals and children
REFRESH = 30.0  # seconds between two looks at the wall clock, which may have been set
STEP = timedelta(seconds=60)  # by so much the wall clock may part from the steady one before it is said
PATIENCE = 7.5  # seconds for running jobs to end after the first signal
SHOWN = 3  # fire times a job at the start


def serve(
    schedules: Mapping[str, Schedule],
    settings: Settings,
    *,
    before: After | None = None,
    after: After | None = None,
    command: Command = job_command,
) -> int:
    """Run until a signal comes; returns the exit code. `schedules` have nightdesk.toml's changes.

    `before` and `after` are `tick`'s.

    The first SIGTERM or SIGINT: nothing more is started, running jobs have 8 s to end and are then left to finish. A
    second one ends them cleanly, a further one at once. Raises DeskError where the store can't be opened.
    """
    open_store(settings.data).close()
    return Service(schedules, settings, before=before, after=after, command=command).run()


class FireTimes(BaseTrigger):
    """A schedule's fire times for APScheduler, less the dates that were started before the clock was set back."""

    __slots__ = ("schedule", "started", "zone")

    def __init__(self, schedule: Schedule, zone: ZoneInfo, started: set[date]) -> None:
        self.schedule, self.zone, self.started = schedule, zone, started

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first one after the previous one, or after now."""
        after = (previous_fire_time or now).astimezone(UTC)
        while found := self.schedule.next_fire(self.zone, after):
            if found[0] not in self.started:
                return found[1]
            after = found[1]
        return None

    def date_at(self, moment: datetime) -> date:
        """The logical date that fires at a moment."""
        moment = moment.astimezone(UTC)
        return next(day for day, _ in self.schedule.fire_times(self.zone, moment - timedelta(seconds=1), moment))


class Processes(BaseExecutor):
    """Starts a process where APScheduler's own executors call a function; the instance lasts as long as it does."""

    def __init__(self, service: "Service") -> None:
        super().__init__()
        self.service = service

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        if not self.service.fire(job.id, job.trigger, run_times[-1], timedelta(seconds=job.misfire_grace_time)):
            self._run_job_success(job.id, [])

    def ended(self, job: str) -> None:
        """The process of a job that was submitted has ended."""
        self._run_job_success(job, [])


class Service:
    """The service while it runs. The scheduler's thread and the tick's start jobs; the main one waits for them."""

    def __init__(
        self,
        schedules: Mapping[str, Schedule],
        settings: Settings,
        *,
        before: After | None = None,
        after: After | None = None,
        command: Command = job_command,
    ) -> None:
        self.schedules = {name: each for name, each in schedules.items() if each.next_fire(settings.zone, _now())}
        self.settings, self.before, self.after, self.command = settings, before, after, command
        self.log = ServiceLog(settings.data / "logs" / "service.jsonl", settings.zone)
        self.started: dict[str, set[date]] = {name: set() for name in schedules}  # on time, by this service
        self.children: dict[str, Started] = {}
        self.submitted: set[str] = set()  # jobs whose child came from the scheduler
        self.lock = threading.Lock()
        self.stopping = False
        self.signals = 0
        self.looking: threading.Thread | None = None
        self.executor = Processes(self)
        self.scheduler = BackgroundScheduler(timezone=UTC, executors={"default": self.executor})
        self.next_look = self.next_refresh = 0.0
        self.offset = _offset()

    def run(self) -> int:
        """Start, serve, stop; returns the exit code."""
        kept = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # a shell's choice
        before = {number: signal.signal(number, self._note_signal) for number in kept}
        try:
            self.begin()
            while not self.signals:
                self.beat()
                time.sleep(POLL)
            return self.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.log.close()

    def begin(self) -> None:
        """Hand the schedules to the scheduler, and show them."""
        zone = self.settings.zone
        self.log.say("up", f"Nightdesk is up, process {os.getpid()}; times are {zone.key}", pid=os.getpid())
        for name, schedule in self.schedules.items():
            self.scheduler.add_job(
                _never_called,
                FireTimes(schedule, zone, self.started[name]),
                id=name,
                name=name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, int(schedule.misfire_grace.total_seconds())),
            )
            self._show_next(name, SHOWN)
        self.scheduler.start()

    def beat(self) -> None:
        """What is to be done again and again: see who has ended, whether the clock was set, look at the desk."""
        self.see_ends()
        moment = time.monotonic()
        if moment >= self.next_refresh:
            self.next_refresh = moment + REFRESH
            self.refresh()
        if moment >= self.next_look:
            self.next_look = moment + TICK_MINUTES * 60
            self.look()

    def refresh(self) -> None:
        """Have the scheduler wait for what the wall clock says now: it waits by a steady clock, and far into a future
        that a clock which was wrong for a minute has shown it."""
        step = _offset() - self.offset
        if abs(step) > STEP:
            self.offset += step
            self.next_look = 0.0
            self.log.say("clock", f"The clock moved by {step.total_seconds():+,.0f} s against the steady one, or slept")
        now = _now()
        for job in self.scheduler.get_jobs():
            due = job.trigger.get_next_fire_time(None, now)
            if due is not None and (job.next_run_time is None or job.next_run_time > due):
                job.modify(next_run_time=due)
                self._show_next(job.id, 1)
        self.scheduler.wakeup()

    def fire(self, job: str, trigger: FireTimes, moment: datetime, grace: timedelta) -> bool:
        """The scheduler's call at a fire time; whether a process was started."""
        day = trigger.date_at(moment)
        late = _now() - moment
        if late > grace:
            text = (
                f"{job} {day}: not started, {late.total_seconds():,.0f} s late; the next look sees what becomes of it"
            )
            self.log.say("late", text, job=job, date=str(day))
            self.next_look = 0.0
            return False
        try:
            begun = self.start(Order(job, day, moment, late=False), submitted=True)
        except (OSError, DeskError) as fault:
            self.log.say("error", f"{job} {day}: can't be started: {fault}", job=job, date=str(day))
            begun = False
        return begun

    def start(self, order: Order, *, submitted: bool = False) -> bool:
        """Start a job, if it isn't at work and, on time, wasn't started for this date. Raises OSError, CannotWrite."""
        job, day = order.job, order.date
        with self.lock:
            if self.stopping or (not order.late and day in self.started[job]):
                return False
            if job in self.children:
                text = f"{job} {day}: not started, its run of {self.children[job].date} is still at work"
                self.log.say("at_work", text, job=job, date=str(day))
                return False
            child = launch(job, day, self.settings, self.command)
            self.children[job] = child
            self.started[job].add(day)
            if submitted:
                self.submitted.add(job)
        pid = child.process.pid
        why = order.why(self.settings.zone)
        self.log.say("started", f"{job} {day}: started, {why} (process {pid})", job=job, date=str(day), pid=pid)
        return True

    def see_ends(self) -> None:
        """Tell of the processes that have ended."""
        for job, child in list(self.children.items()):
            code = child.process.poll()
            if code is None:
                continue
            run, message = run_of(child, self.settings)
            with self.lock:
                del self.children[job]
                submitted = job in self.submitted
                self.submitted.discard(job)
                if code == Busy.exit_code and run is None:  # a locked store: a look may start it while it is on time
                    self.started[job].discard(child.date)
                    self.next_look = min(self.next_look, time.monotonic() + STEP.total_seconds())
            if submitted:
                self.executor.ended(job)
            code = code if code >= 0 else 128 - code
            of_run = f" (run {run})" if run is not None else ""
            text = f"{job} {child.date}: ended with exit code {code}{of_run}. {message}".rstrip()
            self.log.say("ended", text, job=job, date=str(child.date), exit_code=code, run=run, message=message)
            if not self.stopping:
                self._show_next(job, 1)

    def look(self) -> None:
        """A tick, in a thread: what it calls may wait for the network, and a signal doesn't wait for it."""
        if self.looking is None or not self.looking.is_alive():
            self.looking = threading.Thread(target=self._look, daemon=True)
            self.looking.start()

    def stop(self) -> int:
        """Start nothing more; wait for running jobs, leave them or end them. Returns the exit code."""
        with self.lock:
            self.stopping = True
        # in a thread: the scheduler's own may be about to start a process, and that isn't waited for
        ending = threading.Thread(target=self._end_scheduler, daemon=True)
        ending.start()
        running = ", ".join(self.children)
        self.log.say("stopping", f"Stopping; {f'waiting for {running}' if running else 'no job is running'}")
        end, heard = time.monotonic() + PATIENCE, 1
        while self.children and (self.signals > 1 or time.monotonic() < end):
            if self.signals > heard:
                heard = self.signals
                for child in list(self.children.values()):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.process.pid, signal.SIGTERM)
                    self.log.say("ending", f"{child.job} {child.date}: told to end", job=child.job)
            time.sleep(0.1)
            self.see_ends()
        ending.join(timeout=0.5)
        for child in self.children.values():
            run, _ = run_of(child, self.settings)
            which = f"run {run}, process {child.process.pid}" if run is not None else f"process {child.process.pid}"
            text = f"{child.job} {child.date}: left to finish ({which})"
            self.log.say("left", text, job=child.job, date=str(child.date), run=run, pid=child.process.pid)
            child.process.returncode = 0  # it outlives this process, and Python would warn of that
        self.log.say("down", "Nightdesk is down")
        return 0

    def _end_scheduler(self) -> None:
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)

    def _look(self) -> None:
        try:
            report = tick(
                self.schedules, self.settings, start=self.start, starts=True, before=self.before, after=self.after
            )
            if not report.busy:
                for line in report.lines:
                    self.log.say("tick", line)
        except Exception as fault:  # the jobs' times are kept whatever becomes of a look
            known = as_desk_error(fault)
            told = sentence(str(known)) if known else f"A bug in the tick:\n{traceback.format_exc()}"
            self.log.say("error", told)

    def _show_next(self, job: str, count: int) -> None:
        zone, now = self.settings.zone, _now()
        schedule = self.schedules[job]
        fires = schedule.fire_times(zone, now, now + timedelta(days=8 * count))
        moments = [moment.astimezone(zone) for _, (_, moment) in zip(range(count), fires, strict=False)]
        text = ", ".join(f"{each:%a %Y-%m-%d %H:%M %Z}" for each in moments)
        self.log.say("next", f"{job}: next {text}", job=job, next=[each.isoformat() for each in moments])

    def _note_signal(self, _: int, __: FrameType | None) -> None:
        self.signals += 1


def _never_called() -> None:
    """What APScheduler wants of a job; `Processes` starts a process in its place."""


def _now() -> datetime:
    return datetime.now(UTC)


def _offset() -> timedelta:
    """How far the wall clock is from the steady one; it changes where the clock is set or the machine sleeps."""
    return timedelta(seconds=time.time() - time.monotonic())
