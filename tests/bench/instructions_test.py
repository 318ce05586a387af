"""instructions_test.py BUILD: how many instructions a training step takes, against tests/golden/instructions.json.

A time is never the same twice; a count of instructions is, and a step that does more work shows in it on any machine. A small step on one
thread under callgrind: of the host's own products ("portable"), and of the plain loops of backend reference, whose share is the
arithmetic itself. A count that is off by more than `within` fails, in either direction: KHOST_REGENERATE=1 writes the counts anew, after a
change that makes a step cheaper or dearer on purpose. Skipped (77) without valgrind, or where it finds no AVX2: the
host's kernels would be others.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
golden = pathlib.Path(__file__).resolve().parent.parent / "golden/instructions.json"
within = 0.02  # the same machine gives the same to the last instruction; another libm or libc differs by less


def count(backend, folder):
    """The instructions of one step, and the file that tells of what function they are."""
    out = pathlib.Path(folder) / backend
    done = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=counted_step",
                           f"--callgrind-out-file={out}", build / "bin/khost_bench_instructions", backend],
                          env=dict(os.environ, OMP_NUM_THREADS="1"), text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{backend}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(errors="replace"), re.M)[1]), out


def main():
    if not shutil.which("valgrind") or " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        print("skipped: no valgrind, or no AVX2")
        sys.exit(77)
    counts, wrong = {}, []
    expected = json.loads(golden.read_text()) if golden.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for backend in ["portable", "reference"]:
            counts[backend], profile = count(backend, folder)
            before = expected.get(backend)
            ratio = counts[backend] / before if before else float("nan")
            print(f"{backend}: {counts[backend]:,} instructions a step" + (f", {ratio:.4f} of what they were" if before else ""))
            if not abs(ratio - 1) <= within and not os.environ.get("KHOST_REGENERATE"):
                top = subprocess.run(["callgrind_annotate", profile], text=True, capture_output=True).stdout
                wrong.append(f"{backend}: {before} expected, within {within:.0%}. Where its instructions are:\n" +
                             "\n".join(line[:160] for line in top.splitlines()[:40]))
    if os.environ.get("KHOST_REGENERATE"):
        golden.write_text(json.dumps(counts, indent=2) + "\n")
    if wrong:
        sys.exit("\n".join(wrong))


main()
