#!/usr/bin/python3
"""Every relative link of README.md and docs/**/*.md leads to something, and every #anchor to a heading.

    links.py ROOT

A heading's anchor has to be the same for GitHub and for mkdocs, where a link uses it, so that it works in both.
"""
import pathlib
import re
import sys
import urllib.parse

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCED = re.compile(r"^(?: {0,3})(```|~~~).*?^(?: {0,3})\1`*~*$", re.M | re.S)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def prose(text):
    """The text without its code, each line at its place."""
    text = FENCED.sub(blank, text)
    lines, after_blank, in_list = [], True, False
    for line in text.split("\n"):
        if after_blank and not in_list and line.startswith("    "):  # a block of code
            lines.append("")
            continue
        if line.strip():
            in_list = bool(re.match(r" *([-*+]|[0-9]+\.) ", line)) or (in_list and line.startswith(" "))
        after_blank = not line.strip()
        lines.append(line)
    return CODE.sub(blank, "\n".join(lines))


def anchors(text):
    """Those that GitHub and mkdocs agree on."""
    found = [[], []]
    for heading in re.findall(r"^ {0,3}#{1,6} +(.*?)(?: +#+)? *$", FENCED.sub(blank, text), re.M):
        heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        github = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        mkdocs = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.encode("ascii", "ignore").decode()).strip())
        for names, name, again in ((found[0], github, "-"), (found[1], mkdocs, "_")):
            count = sum(n == name or re.fullmatch(re.escape(name + again) + "[0-9]+", n) is not None for n in names)
            names.append(f"{name}{again}{count}" if count else name)
    return set(found[0]) & set(found[1])


def broken(root):
    """A text for each link that leads nowhere."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    for page in pages:
        text = page.read_text()
        for match in LINK.finditer(prose(text)):
            link = match[1]
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / urllib.parse.unquote(path)).resolve() if path else page
            place = f"{page.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
            if not target.is_relative_to(root):
                yield f"{place}: {link} leads out of the repository"
            elif not target.exists():
                yield f"{place}: {link}: there is no {target.relative_to(root)}"
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
                yield f"{place}: {link}: {target.relative_to(root)} has no heading of that anchor: {', '.join(sorted(anchors(target.read_text())))}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    wrong = list(broken(root))
    print("\n".join(wrong) if wrong else "all links lead somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
