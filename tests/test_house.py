"""The house itself: the lock, the examples, the README, the Makefile."""

import configparser
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
MORE = {"requirements-bench.txt": "bench", "requirements-backends.txt": "backends"}


def say(*args, cwd=ROOT, env=None):
    return subprocess.run([sys.executable, *args], cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lock, extra", [("requirements.txt", "dev"), *MORE.items()])
def test_a_lock_has_hashes_and_every_direct_dependency_and_no_address(lock, extra):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wanted = config["options.extras_require"][extra]
    if extra == "dev":
        wanted += config["options"]["install_requires"]
    names = {re.split(r"[ ;<>=]", line)[0].lower() for line in wanted.split("\n") if line}
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==", text, re.MULTILINE)
    assert names <= set(pinned)
    assert len(re.findall("^[a-z].*\\\\\n    --hash=sha256:", text, re.MULTILINE)) == len(pinned)
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("lock", MORE)
def test_another_lock_has_the_same_releases_as_the_lock(lock):
    def releases(name):
        return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    ours, more = releases("requirements.txt"), releases(lock)
    assert {name: ours.get(name, release) for name, release in more.items()} == more


def test_the_crontab_example_is_made_from_the_schedules():
    assert (ROOT / "crontab.example").read_text() == say("-m", "jobs", "crontab").stdout


def test_the_settings_example_has_every_setting_with_its_default():
    assert (ROOT / "nightdesk.example.toml").read_text() == say("-m", "jobs", "settings").stdout


def test_the_settings_example_works_with_its_marks_taken_off(tmp_path):
    lines = (ROOT / "nightdesk.example.toml").read_text().splitlines()
    text = "\n".join(line[2:] if re.match(r"# \w+ = ", line) else line for line in lines)
    (tmp_path / "nightdesk.toml").write_text(text.replace("articles = []", 'articles = ["a.csv"]'))
    (tmp_path / "a.csv").write_text("title,content\n")
    done = say("-m", "jobs.model_topics", "--dry-run", cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "TZ": "UTC"})
    assert done.returncode == 0, done.stderr


def commands_in_readme():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_make_target_of_the_readme_is_in_the_makefile():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {line.split()[1] for line in commands_in_readme() if line.startswith("make ")}
    assert {"demo", "test"} <= named <= set(targets)


SERVICE = ".venv/bin/python -m jobs"
# In a new desk: no champion, nobody to tell, no token, no network.
CODES = {"rollback": 69, "jobs.classify": 69, "jobs.topics_of": 69, "--test": 78, "doctor": 1}


@pytest.mark.parametrize("line", [line for line in commands_in_readme() if "-m jobs" in line and line != SERVICE])
def test_every_command_of_the_readme_is_understood(line, tmp_path, fake_x, fake_jetstream):
    for name in ("data/articles/a.csv", "more.csv", "recordings/b.jsonl", "a.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("title,content\n" if name.endswith(".csv") else "")
    stand_ins = {
        "NIGHTDESK_X_URL": fake_x.url,
        "NIGHTDESK_X_BEARER_TOKEN": "token",
        "NIGHTDESK_JETSTREAM_URL": fake_jetstream.url,
        "NIGHTDESK_CAPTURE_TWEETS_MINUTES": "0.02",
    }
    args = shlex.split(line)[1:]
    if {"jobs.model_topics", "jobs.retrain_cnn"} & set(args) and "--dry-run" not in args:
        args.append("--dry-run")
    Image.new("RGB", (40, 40)).save(tmp_path / "cat.jpg")
    (tmp_path / "letter.txt").write_text("Dear desk,")
    if "show" in args:
        say("-m", "jobs.model_topics", cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "TZ": "UTC"})
    done = say(*args, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "TZ": "UTC", **stand_ins})
    assert done.returncode == next((code for word, code in CODES.items() if word in args), 0), done.stderr


def test_the_readmes_service_starts_and_stops(tmp_path):
    assert SERVICE in commands_in_readme()
    args = [sys.executable, *shlex.split(SERVICE)[1:]]
    env = {"PYTHONPATH": str(ROOT), "TZ": "UTC"}
    with subprocess.Popen(args, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as service:
        assert "Nightdesk is up" in next(iter(service.stderr))
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=30)
    assert service.returncode == 0


def test_the_readmes_settings_are_understood(tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "nightdesk.toml").write_text(block)
        done = say("-m", "jobs", "list", cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stderr


def test_a_job_script_stays_a_page_long():
    for path in (ROOT / "jobs").glob("[!_]*.py"):
        assert len(path.read_text().splitlines()) <= 150, path


def fake_python(folder, name, version, venv):
    script = folder / name
    script.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *ensurepip*) exit {0 if venv else 1};; *print*) echo {version};; '
        f"*) {'exit 0' if version in ('3.11', '3.12', '3.13') else 'exit 1'};; esac\n"
        f'[ "$1" = --version ] && echo "Python {version}"\n'
    )
    script.chmod(0o755)


@pytest.mark.parametrize(
    ("pythons", "printed", "said"),
    [
        ([("python3", "3.12", True)], "python3", ""),
        ([("python3", "3.14", True), ("python3.11", "3.11", True)], "python3.11", ""),
        ([("python3", "3.12", False)], "", "python3.12-venv"),
        ([("python3", "3.9", True)], "", "needs Python 3.11, 3.12 or 3.13"),
        ([], "", "no Python 3"),
    ],
)
def test_make_finds_a_fit_python_or_says_in_one_line_what_to_install(tmp_path, pythons, printed, said):
    for name, version, venv in pythons:
        fake_python(tmp_path, name, version, venv)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "bin" / "find-python")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == printed
    assert said in done.stderr
    assert done.returncode == (0 if printed else 1)
    assert len(done.stderr.splitlines()) == (0 if printed else 1)
