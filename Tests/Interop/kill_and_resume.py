"""Kills a run at random moments, runs it again to the end, and compares every byte it made.

    python3 kill_and_resume.py .build/release/slm-compress RECIPE WORK [--kills 10] [--seed 7]

The recipe runs once undisturbed, once more, and once killed (SIGKILL) at random moments of its
length. All three must leave the same checkpoints and exports. Needs nothing but Python.
"""

import argparse
import hashlib
import pathlib
import random
import shutil
import signal
import subprocess
import time

# What tells of one run and not of its result: times, dates, logs.
OWN = {"log.txt", "report.json", "report.md", "report.html", "report.xml", "environment.json",
       "done.json", "measurement.json", "run.lock", "timing.jsonl"}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in OWN
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command")
    parser.add_argument("recipe")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    random.seed(options.seed)

    def run(name):
        return subprocess.Popen(
            [options.command, "run", options.recipe, "--output", str(options.work / name), "--quiet"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(process):
        _, errors = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"the run ended with {process.returncode}: {errors.decode()}")

    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    start = time.monotonic()
    finish(run("first"))
    length = time.monotonic() - start
    finish(run("second"))
    kills = 0
    while True:
        process = run("killed")
        if kills == options.kills:
            finish(process)
            break
        # Short enough that the kills fall into work, not after its end.
        try:
            process.wait(random.uniform(0.02, 0.3) * length / 2)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    expected = digests(options.work / "first")
    for name in ("second", "killed"):
        found = digests(options.work / name)
        different = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
        if different:
            raise SystemExit(f"{name}: {len(different)} files differ: {', '.join(different[:5])}")
    print(f"{len(expected)} files, the same bytes after a second run and after {kills} kills")


if __name__ == "__main__":
    main()
