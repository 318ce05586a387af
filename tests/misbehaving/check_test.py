"""khost check, from outside.

check_test.py misbehaving BUILD: each plugin of tests/misbehaving, with each of its faults, fails the test that is about that fault, and no
    other; what is said is tests/golden/check.txt (KHOST_REGENERATE=1 writes it anew, after a wanted change).
check_test.py plugins BUILD CBLAS: every plugin of khost is fit.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[2]).resolve()
khost = build / "bin/khost"
golden = pathlib.Path(__file__).resolve().parent.parent / "golden/check.txt"

# The fault, in words; the plugin; its parameters; which component, where a file has several; the test that has to fail.
FAULTS = [
    ("a crash in observe", "probe", "crash", "trial"),
    ("a loop without an end in observe", "probe", "hang", "trial"),
    ("memory without an end in observe", "probe", "eats", "trial"),
    ("exit() in observe", "probe", "exit", "trial"),
    ("an exception in observe", "probe", "throws", "trial"),
    ("a record that was not declared", "probe", "undeclared", "trial"),
    ("a write to a weight, from a probe that reads", "probe", "writes", "calls"),
    ("a policy that changes what it did not declare", "policy", "undeclared", "trial"),
    ("a policy that writes to a weight", "policy", "writes", "calls"),
    ("a record that is declared and never made", "probe", "never recorded", "records"),
    ("a record that is infinite", "probe", "infinite", "records"),
    ("a record that is always missing", "probe", "missing", "records"),
    ("a record without a null, and without a reason", "probe", "no null", "null"),
    ("a null that is declared and not drawn", "probe", "null missing", "null"),
    ("a null that is infinite", "probe", "null infinite", "null"),
    ("a null that ignores its stream", "probe", "null constant", "null"),
    ("a null that counts on", "probe", "null static", "null"),
    ("a crash in null()", "probe", "null crash", "trial"),
    ("a checkpoint that forgets", "probe", "forgets", "checkpoint"),
    ("memory that is never freed", "probe", "leak", "lifecycle"),
    ("files that are never closed", "probe", "file", "lifecycle"),
    ("threads that are never joined", "probe", "thread", "lifecycle"),
    ("denormals flushed to zero", "probe", "flush to zero", "process"),
    ("another rounding mode", "probe", "rounding", "process"),
    ("setlocale()", "probe", "locale", "process"),
    ("a signal handler", "probe", "signal", "process"),
    ("another current folder", "probe", "folder", "process"),
    ("another umask", "probe", "umask", "process"),
    ("denormals flushed to zero in observe, which the host puts back", "probe", "flush to zero in observe", "calls"),
    ("setlocale() in observe", "probe", "locale in observe", "calls"),
    ("another rounding mode in null()", "probe", "rounding in null", "calls"),
    ("denormals flushed to zero in update()", "optimizer", "flush to zero", "process"),
    ("denormals flushed to zero in an operation's forward()", "graph", "flush to zero in an operation", "model gradients"),
    ("setlocale() in a model's forward()", "graph", "locale in forward", "model process"),
    ("another current folder in an adapter's lookup()", "graph", "folder in lookup", "adapter process"),
    ("another rounding mode in a core's gradient()", "graph", "rounding in gradient", "core process"),
    ("another umask in windows()", "data", "umask in windows", "process"),
    ("a destructor that throws", "destroy", None, "process"),
    ("a default that is out of its range", "../mistaken/default_out_of_range.so", None, "entry"),
    ("a value of its range that it divides by", "values", "crash", "values"),
    ("a value of its schema that it does not expect", "values", "throws", "values"),
    ("a parameter without a word", "undocumented", None, "schema"),
    ("an optimizer with a memory of its own", "optimizer", "hidden state", "state"),
    ("an optimizer that writes past its state", "optimizer", "writes past its state", "update"),
    ("an optimizer that writes to the gradient", "optimizer", "writes to the gradient", "update"),
    ("an optimizer that divides by a norm of 0", "optimizer", "divides by zero", "update"),
    ("an optimizer that does nothing", "optimizer", "does nothing", "update"),
    ("data that are others each time", "data", "non-deterministic", "again"),
    ("data that ignore the stream", "data", "ignores the stream", "again"),
    ("parts that overlap", "data", "overlapping parts", "split"),
    ("data that are not thread-safe", "data", "not thread-safe", "threads"),
    ("a token outside of the vocabulary", "data", "token outside", "tokens"),
    ("an operation's gradient that is wrong", "graph", "wrong gradient", "model gradients, adapter gradients, adapter difference"),
    ("an operation that overwrites what another wrote", "graph", "overwrites", "model gradients, core gradients"),
    ("an operation whose definition is another", "graph", "wrong definition", "model gradients"),
    ("an adapter that moves the first loss", "graph", "moves the first loss", "adapter start"),
    ("an adapter whose dW is not what it does", "graph", "wrong difference", "adapter difference"),
    ("a backend that is wrong for odd sizes", "odd", None, "accuracy"),
    ("a backend that reads C at beta 0", "beta", None, "products"),
    ("exports more than its entry", "../bad_plugins/exports_more.so", None, "entry"),
    ("a static initialiser", "../bad_plugins/static_initialiser.so", None, "entry"),
]


def check(plugin, config, *options):
    env = dict(os.environ, KHOST_CACHE=cache)
    return subprocess.run([khost, "check", str(plugin), "--config", json.dumps(config), *options], env=env, cwd=cache, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)


def normalised(text):
    """Without what differs between machines, builds and runs."""
    text = text.replace(str(build), "<build>")
    text = re.sub(r"/\S*/khost-check-[0-9a-f]+", "<scratch>", text)
    text = re.sub(r"\b0x[0-9a-f]+\b", "<address>", text)
    text = re.sub(r"-?\b\d+\.\d+(e[-+]?\d+)?\b|\b\d+e[-+]\d+\b", "<x>", text)
    text = re.sub(r"left \d+ (bytes|files|threads)", r"left <n> \1", text)
    text = re.sub(r"\d+ of \d+ (windows|calls)", r"<n> of <n> \1", text)
    return text


def failures(text):
    """The failed tests, with the component's kind where the file has several; and what is said of them, as it stands there."""
    failed, said, kind, several = [], [], "", len(re.findall(r"^\w+ '", text, re.M)) > 1
    for line in text.splitlines():
        if re.match(r"\w+ '", line):
            kind = line.split()[0]
        if line.startswith("FAIL"):
            failed.append((kind + " " if several else "") + line.split()[1])
        if line.startswith(("FAIL", "      ")):
            said.append(line)
    return ", ".join(failed), "\n".join(said)


def misbehaving():
    all_said = "What khost check says of plugins with one fault each. tests/misbehaving/check_test.py compares and regenerates it.\n"
    wrong = []
    for words, plugin, fault, expected in FAULTS:
        file = build / "misbehaving" / (plugin if "/" in plugin else f"misbehaving_{plugin}.so")
        done = check(file.resolve(), {"fault": fault} if fault else {}, "--timeout", "4" if fault == "hang" else "600")  # a machine may be busy
        failed, said = failures(done.stdout)
        if failed != expected or done.returncode != 3:
            wrong.append(f"{words}: exit code {done.returncode}, failed: '{failed}', expected: '{expected}'\n{done.stdout}")
        all_said += f"\n== {words}\n{normalised(said)}\n"
    for name in "probe", "policy", "values", "optimizer", "data", "graph":
        done = check(build / f"misbehaving/misbehaving_{name}.so", {})
        if done.returncode:
            wrong.append(f"{name} without a fault:\n{done.stdout}")
    done = check(build / "misbehaving/misbehaving_probe.so", {"fault": "no state"})
    if done.returncode or not re.search("^skip  checkpoint  it has no state", done.stdout, re.M):
        wrong.append(f"a probe without state() is fit, and told what that means:\n{done.stdout}")
    again = [check(build / "misbehaving/misbehaving_optimizer.so", {"fault": "hidden state"}, "--seed", "7").stdout for _ in range(2)]
    if again[0] != again[1]:
        wrong.append("the same seed says something else the second time")
    if os.environ.get("KHOST_REGENERATE"):
        golden.write_text(all_said)
    if all_said != golden.read_text():
        (build / "misbehaving/check.txt").write_text(all_said)
        wrong.append(f"{golden} says something else: see {build}/misbehaving/check.txt")
    return wrong


def plugins(cblas):
    corpus = pathlib.Path(cache) / "text.txt"
    corpus.write_text("\n\n".join(f"In line {i} of a text that is made for a test there are {i * i} words about {i % 7} things." for i in range(3000)))
    given = {
        "adaptive_k": {"from": "uniform/effective_rank"},
        "cblas": {"library": cblas},
        "text": {"files": [str(corpus)], "vocab": 300},
    }
    wrong, files = [], sorted((build / "plugins").glob("*.so"))
    for file in files:
        done = check(file, given.get(file.stem, {}), "--timeout", "600")
        print(file.stem, done.stdout.splitlines()[-1])
        if done.returncode:
            wrong.append(f"{file.stem}:\n{done.stdout}")
    if len(files) < 25:
        wrong.append(f"only {len(files)} plugins were found")
    return wrong


with tempfile.TemporaryDirectory() as cache:
    found = misbehaving() if sys.argv[1] == "misbehaving" else plugins(sys.argv[3])
for each in found:
    print(each, file=sys.stderr)
sys.exit(bool(found))
