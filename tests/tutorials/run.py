#!/usr/bin/python3
"""Runs a tutorial's code blocks as they stand there, and compares what they print with what the page says.

    run.py PAGE.md --bin DIR [--link PATH...]    DIR/khost is the khost that is found; --link: what the folder holds beforehand

Blocks go into one bash session (set -e) in an empty folder, with a home and a cache of its own:

    ```sh          is run
    ```LANGUAGE    with a first line `// file: NAME` or `# file: NAME` is written to NAME, without that line
    ```text        is what the ```sh block before it prints, on standard output and standard error
    any other      is neither run nor written: ```console, say, for what takes long or needs what a test has not

What is printed is as shown when its lines are the same, where runs of blanks count as one, and

    a line `...` stands for any lines, and ` ...` at a line's end for the rest of it;
    a hash is any hash, and a number before a unit of time, size or speed any number;
    other numbers that have a point or an exponent may be off by 2 %, or by one in the last digit.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```([^\s`]*)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"(?://|#) file: (\S+)\n")
HASH = re.compile(r"\b(?=[a-f]*[0-9])[0-9a-f]{8,64}\b")
NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
MEASURED = re.compile(NUMBER + r"(?= ?(?:ms|s|sec|seconds|min|h|[kMGKT]i?B|bytes|GFLOP/s)\b)")


class Block:
    def __init__(self, language, text, line):
        named = FILE.match(text)
        self.language, self.line = language, line
        self.file = named and named[1]
        self.text = text[named.end():] if named else text


def blocks_of(page):
    return [Block(m[1], m[2], page.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(page)]


# ---- comparing -------------------------------------------------------------------------------------------------------------

def parts(line):
    """A line as numbers and single characters."""
    line = HASH.sub("<hash>", " ".join(line.split()))
    return re.findall(f"{NUMBER}|[^0-9]", MEASURED.sub("<measured>", line))


def same_part(expected, found):
    if expected == found:
        return True
    if not re.search(r"[0-9][.e]", expected) or not re.fullmatch(NUMBER, found):
        return False
    mantissa, _, exponent = expected.partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(expected) - float(found)) <= max(0.02 * abs(float(expected)), 1.01 * last_digit)


def same_line(expected, found):
    rest_is_any = expected.endswith(" ...")
    wanted, given = parts(expected[:-4] if rest_is_any else expected), parts(found)
    if rest_is_any:
        given = given[:len(wanted)]
    return len(wanted) == len(given) and all(map(same_part, wanted, given))


def first_difference(expected, found):
    """The first line of `expected` that `found` has no place for; None when there is none."""
    possible, furthest = {0}, 0  # how many lines of `found` may be behind us
    for number, line in enumerate(expected):
        if line.strip() == "...":
            possible = set(range(min(possible), len(found) + 1))
        else:
            possible = {at + 1 for at in possible if at < len(found) and same_line(line, found[at])}
        if not possible:
            return line
    return None if len(found) in possible else "(the end)"


# ---- running ---------------------------------------------------------------------------------------------------------------

def script(blocks, folder):
    """All blocks for bash; the output of each ```sh block goes to a file of its number."""
    lines = ["set -e -o pipefail"]
    for number, block in enumerate(blocks):
        if block.file:
            source = folder / f"{number}.file"
            source.write_text(block.text)
            lines.append(f"mkdir -p \"$(dirname '{block.file}')\"\ncp '{source}' '{block.file}'")
        elif block.language == "sh":
            lines.append(f"exec >'{folder}/{number}.out' 2>&1\n{block.text}")
    return "\n".join(lines)


def run(blocks, binaries, links):
    """What is wrong, a text for each, by the line of its block."""
    with tempfile.TemporaryDirectory(prefix="khost-tutorial-") as name:
        home, outputs = pathlib.Path(name) / "home", pathlib.Path(name) / "outputs"
        work = home / "work"
        work.mkdir(parents=True)
        outputs.mkdir()
        for link in links:
            (work / link.name).symlink_to(link.resolve())
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("KHOST_", "XDG_"))}
        environment |= {"PATH": f"{binaries.resolve()}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8",
                        "KHOST_CACHE": str(home / "cache")}
        session = subprocess.run(["bash", "-c", script(blocks, outputs)], cwd=work, env=environment, stdin=subprocess.DEVNULL)
        wrong, printed, last = [], None, None
        for number, block in enumerate(blocks):
            output = outputs / f"{number}.out"
            if output.exists():
                printed, last = output.read_text(errors="replace"), block
            elif block.language == "sh" and not block.file:
                break  # the session ended before it
            elif block.language == "text":
                if printed is None:
                    wrong.append((block.line, "no ```sh block stands before this ```text"))
                    continue
                line = first_difference(block.text.splitlines(), printed.splitlines())
                if line is not None:
                    wrong.append((block.line, f"not printed as shown, from: {line}\n---- the block of line {last.line} printed:\n{printed}----"))
        if session.returncode:
            wrong.append((last.line if last else 1, f"the session ended here with exit code {session.returncode}:\n{printed}"))
    return wrong


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("page", type=pathlib.Path)
    options.add_argument("--bin", type=pathlib.Path, required=True)
    options.add_argument("--link", type=pathlib.Path, nargs="*", default=[])
    given = options.parse_args()
    blocks = blocks_of(given.page.read_text())
    languages = [block.language for block in blocks]
    if "sh" not in languages or "text" not in languages:
        sys.exit(f"{given.page}: a tutorial has ```sh blocks, and ```text blocks that show what they print")
    wrong = run(blocks, given.bin, given.link)
    for line, what in wrong:
        print(f"{given.page}:{line}: {what}")
    print(f"{given.page}: {languages.count('sh')} blocks run, {languages.count('text')} outputs compared, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
