#!/usr/bin/python3
"""docs/licences.md names each package of bootstrap's groups build and corpus and each file of share/report/vega, and no licence
that is not the one of the package's copyright file, where that is installed and says it for all files.

    licences.py ROOT
"""
import pathlib
import re
import sys


def packages(bootstrap):
    return {m[1] for m in re.finditer(r"^([a-z0-9.+-]+)\|(?:build|corpus)\|", bootstrap, re.M)}


def stated(package):
    """The licence of `Files: *`, or None."""
    file = pathlib.Path("/usr/share/doc") / package / "copyright"
    if not file.exists():
        return None
    for paragraph in re.split(r"\n\s*\n", file.read_text(errors="replace")):
        if re.search(r"^Files:\s*\*\s*$", paragraph, re.M):
            licence = re.search(r"^License:\s*(\S.*)$", paragraph, re.M)
            return licence and licence[1].strip()
    return None


def wrong(root):
    page = (root / "docs" / "licences.md").read_text()
    named = dict(re.findall(r"^\| `([^`]+)` \| ([^|]*?) *\|", page, re.M))
    wanted = packages((root / "bootstrap").read_text())
    if len(wanted) < 20:
        yield f"bootstrap's table was not understood: {len(wanted)} packages"
    for package in sorted(wanted):
        licence = stated(package)
        if package not in named:
            yield f"docs/licences.md does not name package {package}" + (f" ({licence})" if licence else "")
        elif licence and not re.match(re.escape(licence) + r"(?![\w.+-])", named[package], re.I):
            yield f"docs/licences.md: {package} is under {licence}, not {named[package]}"
    for file in sorted((root / "share" / "report" / "vega").iterdir()):
        if file.name not in named:
            yield f"docs/licences.md does not name share/report/vega/{file.name}"


def main():
    found = list(wrong(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "docs/licences.md names everything")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
