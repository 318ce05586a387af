#!/usr/bin/env python3
"""./bootstrap bench runs: what whole runs take, beside what is aimed at.

  runs.py BUILD [--json FILE] [LINE]...     LINE: start, arms, build, paper85, kseries (default: all but kseries)

start     from the command until a trial of one step is over, everything else cached, without that step: of such trials with 1
          and 11 steps in turn, a median of nine
arms      a trial of paper 85's K32 and K64 with all its probes over the same arm's without any, paired by seed
build     what `./bootstrap run` builds at first, without ccache, in a folder of its own
paper85   the manifest on a cold cache, its phases from the events that khost prints
kseries   likewise, all papers of the series

Runs are made in a temporary folder with a cache of its own, into which the corpora of KHOST_CACHE are copied; nothing is left.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    pass


class Runs:
    def __init__(self, build, folder):
        self.build = build
        self.folder = folder
        self.cache = folder / "cache"
        self.corpora = pathlib.Path(os.environ["KHOST_CACHE"]) / "corpora"
        self.cold()
        self.made = 0

    def cold(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(self.corpora, self.cache / "corpora")

    def manifest(self, text):
        path = self.folder / f"{self.made}.manifest"
        path.write_text(json.dumps(text))
        return path

    def khost(self, manifest, *options):
        """Its events, each with the seconds since the command began."""
        self.made += 1
        out = self.folder / f"run{self.made}"
        begun = time.monotonic()
        command = [self.build / "bin/khost", "run", manifest, "--json", "--out", out, *options]
        environment = dict(os.environ, KHOST_CACHE=str(self.cache))
        events = []
        with (tempfile.TemporaryFile("w+") as said,
              subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as process):
            for line in process.stdout:
                events.append((time.monotonic() - begun, json.loads(line)))
            if process.wait() != 0:
                said.seek(0)
                raise Failed(f"khost run {manifest} ended with {process.returncode}: {said.read().strip()}")
        return events, time.monotonic() - begun


def uniform(arms, **more):
    """Paper 85's setting spectral-null with these arms alone."""
    bases = {"trained": None, "reconstructed": None}
    gone = {f"K{k}": None for k in (2, 4, 8, 16, 32, 64) if f"K{k}" not in arms}
    return {"khost": 1, "experiment": "bench", "title": "bench", "include": str(SOURCE / "experiments/common/uniform.manifest"),
            "bases": bases, "arms": {**gone, **arms}, **more}


def start(runs):
    def manifest(steps):
        return runs.manifest(uniform({"K64": {"probes!": [], "record_at": []}}, seeds=1, steps=steps,
                                     data={"held_out_windows": 0}))

    def until_finished(steps, *options):
        events, _ = runs.khost(manifest(steps), *options)
        return next(at for at, event in events if event["event"] == "finished")

    until_finished(1)
    took = []
    for _ in range(9):
        one, eleven = until_finished(1, "--fresh"), until_finished(11, "--fresh")
        took.append(one - (eleven - one) / 10)
    yield "start to first step, everything cached, s", statistics.median(took), 0.3


def arms(runs):
    bare = {"probes!": [], "record_at": []}
    manifest = runs.manifest(uniform({"K32": {}, "K32-bare": {"adapter": {"rank": 32}, **bare}, "K64": {},
                                      "K64-bare": {"adapter": {"rank": 64}, **bare}}, seeds=4))
    events, _ = runs.khost(manifest)
    seconds = {(event["arm"], event["seed"]): event["seconds"] for _, event in events if event["event"] == "finished"}
    for arm in ("K32", "K64"):
        seeds = [seed for name, seed in seconds if name == arm]
        ratios = [seconds[arm, seed] / seconds[f"{arm}-bare", seed] for seed in seeds]
        yield f"{arm} with all its probes / the bare arm", statistics.median(ratios), 1.25


def build(runs):
    folder = runs.folder / "build"
    environment = dict(os.environ, CCACHE_DISABLE="1")
    cache = (runs.build / "CMakeCache.txt").read_text().splitlines()
    kept = [f"-D{line}" for line in cache if line.startswith("KHOST_BOOST_ROOT:")]
    with open(runs.folder / "log", "w") as log:
        begun = time.monotonic()
        for command in (["cmake", "--preset", "release", "-S", SOURCE, "-B", folder, *kept],
                        ["cmake", "--build", folder, "-j", str(len(os.sched_getaffinity(0))), "--target", "khost_runtime"]):
            if subprocess.run(command, env=environment, stdout=log, stderr=log, cwd=SOURCE).returncode != 0:
                raise Failed("the build failed: " + pathlib.Path(log.name).read_text()[-2000:])
        took = time.monotonic() - begun
    shutil.rmtree(folder)
    yield "first build for `run`, without ccache, s", took, 120


def phase_of(building):
    """Of what a message says that is built: "base trained", "svd basis of trained", "null of K64/snr", "tokens of corpus 'kjv'"."""
    if building.startswith("base "):
        return building
    return "nulls" if building.startswith("null ") else "singular vectors" if " basis " in building else "tokens, tokenizer"


def phases(events, whole):
    """Seconds by phase: each lasts until the next begins."""
    marks = [(0.0, "start"), (max(at for at, event in events if event["event"] == "finished"), "verdicts, reports")]
    for at, event in events:
        if event.get("text", "").startswith("building "):
            marks.append((at, phase_of(event["text"].removeprefix("building "))))
        elif event["event"] == "started":
            marks.append((at, "trials"))
    marks.sort()
    spent = {}
    for (at, name), (until, _) in zip(marks, marks[1:] + [(whole, "")]):
        spent[name] = spent.get(name, 0.0) + until - at
    return spent


def paper(runs, name, bound, bases_bound=None, nulls_bound=None):
    runs.cold()
    events, whole = runs.khost(SOURCE / f"experiments/{name}.manifest")
    spent = phases(events, whole)
    for phase, took in spent.items():
        print(f"        {phase:<60} {took:8.1f}")
    if bases_bound:
        yield "its bases, s", sum(took for phase, took in spent.items() if phase.startswith("base ")), bases_bound
    if nulls_bound:
        yield "its nulls, s", spent["nulls"], nulls_bound
    yield f"{name}, cold cache, s", whole, bound


MEASURE = {
    "start": start,
    "arms": arms,
    "build": build,
    "paper85": lambda runs: paper(runs, "paper85", 240, 90, 20),
    "kseries": lambda runs: paper(runs, "kseries", 1800),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("line", nargs="*", metavar="LINE", help=", ".join(MEASURE))
    given = parser.parse_intermixed_args()
    if wrong := [line for line in given.line if line not in MEASURE]:
        parser.error(f"no line is called {', '.join(wrong)}: there are {', '.join(MEASURE)}")
    found = []
    with contextlib.ExitStack() as stack:
        runs = Runs(given.build.resolve(), pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="khost-bench-"))))
        for line in given.line or [line for line in MEASURE if line != "kseries"]:
            print(f"{line}", flush=True)
            for what, value, bound in MEASURE[line](runs):
                passes = value <= bound
                print(f"  {'pass ' if passes else 'short'} {what:<62} {value:8.2f}, at most {bound:g}", flush=True)
                found.append({"what": what, "value": value, "bound": bound, "at_most": True, "pass": passes})
    if given.json:
        given.json.write_text(json.dumps({"targets": found}, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"bench runs: {failed}")
