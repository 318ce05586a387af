#!/usr/bin/python3
"""Completion in the shells themselves: bash and zsh on a terminal, a line typed, TAB, and what the line is then.

completion_test.py SOURCES BUILD SHELL"""

import os
import pathlib
import pty
import select
import shutil
import signal
import sys
import tempfile
import time

sources, build, name = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
if not shutil.which(name):
    sys.exit(f"there is no {name}; ./bootstrap test brings it")

MANIFEST = """{
  "khost": 1, "experiment": "small", "title": "A title: with a colon", "seeds": 2, "steps": 5,
  "data": {"plugin": "synthetic"}, "model": {"plugin": "gpt"}, "optimizer": {"plugin": "adam"},
  "bases": {"plain": {"steps": 0}}, "arms": {"K32": {}, "K32-drop0.1": {}},
  "claims": [{"id": "a-wins", "statement": "A wins"}]
}"""

# A line as typed, and as it is after TAB; a third is zsh's, where that differs, in when a quote is closed.
CASES = [
    ("khost insp", "khost inspect "),
    ("khost help insp", "khost help inspect "),
    ("khost --vers", "khost --version "),
    ("khost run --ba", "khost run --backend "),
    ("khost run --backend open", "khost run --backend openblas "),
    ("khost run --backend=open", "khost run --backend=openblas "),
    ("khost inspect effec", "khost inspect effective_rank "),
    ("khost new pol", "khost new policy "),
    ("khost export x --to tens", "khost export x --to tensorboard "),
    ("khost run --workers thr", "khost run --workers threads "),
    # Manifests and folders, with names that a shell has to quote.
    ("khost run smal", "khost run small.manifest "),
    ("khost smal", "khost small.manifest "),
    ("khost run od", "khost run odd\\ nam"),
    ("khost run odd\\ name", "khost run odd\\ name\\ \\&\\ \\'quoted\\'/"),
    ("khost run odd\\ name\\ \\&\\ \\'quoted\\'/in", "khost run odd\\ name\\ \\&\\ \\'quoted\\'/inner.manifest "),
    ('khost run "odd name & \'quoted\'/in', 'khost run "odd name & \'quoted\'/inner.manifest"',
     'khost run "odd name & \'quoted\'/inner.manifest" '),
    ("khost run \"odd name & 'quoted'\"/in", "khost run odd\\ name\\ \\&\\ \\'quoted\\'/inner.manifest ",
     "khost run \"odd name & 'quoted'/inner.manifest\" "),
    ("khost run \"odd name", "khost run \"odd name & 'quoted'/\"", "khost run \"odd name & 'quoted'/"),
    ("khost run 'odd nam:", "khost run 'odd nam:with colon.manifest'", "khost run 'odd nam:with colon.manifest' "),
    ("khost run odd\\ nam:", "khost run odd\\ nam:with\\ colon.manifest "),
    ("khost run ~/ho", "khost run ~/home.manifest "),
    ("khost run unreadable/", "khost run unreadable/"),
    ("khost run nowhere/", "khost run nowhere/"),
    ("khost run broken.manifest --set adapter.ra", "khost run broken.manifest --set adapter.rank="),
    ("khost run nowhere.manifest --set adapter.ra", "khost run nowhere.manifest --set adapter.rank="),
    # Settings.
    ("khost run small.manifest --set adapter.ba", "khost run small.manifest --set adapter.basis="),
    ("khost run small.manifest --set adapter.basis=s", "khost run small.manifest --set adapter.basis=svd "),
    ("khost run small.manifest --set=adapter.basis=s", "khost run small.manifest --set=adapter.basis=svd "),
    ("khost small.manifest --set arms.K32-", "khost small.manifest --set arms.K32-drop0.1."),
    ("khost small.manifest --set arms.K32-drop0.1.ad", "khost small.manifest --set arms.K32-drop0.1.adapter."),
    ("khost small.manifest --set optimizer.weight", "khost small.manifest --set optimizer.weight_decay="),
    ("khost small.manifest --set optimizer.plugin=li", "khost small.manifest --set optimizer.plugin=lion "),
    # Runs, and what is in one.
    ("khost report ru", "khost report runs/small/0123abcd "),
    ("khost show runs/small/0123abcd --arm K32-", "khost show runs/small/0123abcd --arm K32-drop0.1 "),
    ("khost claims runs/small/0123abcd ", "khost claims runs/small/0123abcd a-wins "),
    ("khost show runs/small/0123abcd K32/l", "khost show runs/small/0123abcd K32/loss/"),
    # Nothing is made up, and nothing is said.
    ("khost run --seeds ", "khost run --seeds "),
    ("khost frobnicate ", "khost frobnicate "),
    ("khost list > outp", "khost list > output.txt "),
    ("./khost-is-not-here insp", "./khost-is-not-here insp"),
]


def prepare(folder):
    """Odd names, and a run as far as completion looks into one."""
    odd = folder / "odd name & 'quoted'"
    odd.mkdir()
    for path in (folder / "small.manifest", odd / "inner.manifest", folder / "odd nam:with colon.manifest",
                 folder / "home" / "home.manifest"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(MANIFEST)
    (folder / "broken.manifest").write_text("{ nonsense")
    (folder / "output.txt").write_text("")
    (folder / "unreadable").mkdir(mode=0)
    run = folder / "runs" / "small" / "0123abcd"
    run.mkdir(parents=True)
    (run / "run.db").write_text("")
    (run / "resolved.manifest").write_text(MANIFEST)
    (run / "summary.json").write_text('{"records": {"plain/K32/loss/final": {}, "plain/K32/loss/base": {}}}')


# Control-T writes the line as it stands to a file.
START = {
    "bash": """
PS1='at''the''prompt '; HISTFILE=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
source {sources}/share/completion/khost.bash
show() {{ printf '%s\\n' "$READLINE_LINE" >"$LINE_FILE.new"; mv "$LINE_FILE.new" "$LINE_FILE"; }}
bind -x '"\\C-t": show'
""",
    "zsh": """
PS1='at''the''prompt '; HISTFILE=; unsetopt beep prompt_sp
fpath=({sources}/share/completion $fpath); autoload -Uz compinit; compinit -u -D
show() {{ print -r -- "$BUFFER" >$LINE_FILE.new; command mv $LINE_FILE.new $LINE_FILE }}
zle -N show; bindkey '^T' show
""",
}


class Terminal:
    def __init__(self, folder, rc):
        self.line_file = rc / "line"
        (rc / ("rc" if name == "bash" else ".zshrc")).write_text(START[name].format(sources=sources))
        environment = {"PATH": f"{build}/bin:/usr/bin:/bin", "HOME": str(folder / "home"), "ZDOTDIR": str(rc), "TERM": "dumb",
                       "LINE_FILE": str(self.line_file), "LC_ALL": "C.UTF-8"}
        command = ["bash", "--noprofile", "--rcfile", str(rc / "rc"), "-i"] if name == "bash" else ["zsh", "-d", "-i"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.shown = ""
        self.wait(lambda: "attheprompt" in self.shown)

    def wait(self, done, seconds=60):
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                sys.exit(f"{name} does not answer; it shows\n{self.shown}")
            if select.select([self.terminal], [], [], 0.01)[0]:
                self.shown += os.read(self.terminal, 65536).decode(errors="replace")

    def after_tab(self, line):
        self.line_file.unlink(missing_ok=True)
        self.shown = ""
        os.write(self.terminal, (line + "\t\x14").encode())
        self.wait(self.line_file.exists)
        os.write(self.terminal, b"\x15")  # takes the line away
        return self.line_file.read_text().removesuffix("\n")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as rc:
    folder = pathlib.Path(made)
    prepare(folder)
    terminal = Terminal(folder, pathlib.Path(rc))
    wrong = 0
    for line, *expected in CASES:
        wanted = expected[-1] if name == "zsh" else expected[0]
        found = terminal.after_tab(line)
        if found != wanted or "khost:" in terminal.shown:
            wrong += 1
            print(f"typed    {line}|\nexpected {wanted}|\nfound    {found}|\n{terminal.shown}\n")
    # A second TAB lists what there is, with what it is.
    terminal.after_tab("khost re\t")
    terminal.wait(lambda: "fix a manifest's claims" in terminal.shown, 10)
    terminal.close()
    print(f"{len(CASES)} lines, {wrong} of them wrong")
    sys.exit(wrong > 0)
