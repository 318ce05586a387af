"""What the site needs beyond mkdocs: files of the repository that pages link to, and a navigation that no new page is missing from."""
import fnmatch
import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(r"(\]\()((?:\.\./)+[^)\s#]+)")


def outside(page, link):
    """The path within the repository of what a page of docs links to, where that is not one of docs itself."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if path.startswith("docs/") else path


def on_config(config):
    pages = sorted(p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md"))
    named = set(re.findall(r"[\w./-]+\.md", str(config["nav"])))

    def expanded(items):
        for item in [items] if isinstance(items, str) else items:
            if isinstance(item, dict):
                yield {title: list(expanded(inner)) for title, inner in item.items()}
            elif item.endswith("*"):
                yield from (p for p in pages if p not in named and posixpath.dirname(p) == posixpath.dirname(item) and fnmatch.fnmatch(p, item))
            else:
                yield item

    config["nav"] = list(expanded(config["nav"]))
    return config


def on_files(files, config):
    for file in list(files):
        if file.src_uri.startswith("site/"):
            files.remove(file)
    linked = {outside(page.src_uri, m[2]) for page in files.documentation_pages()
              for m in OUTSIDE.finditer(pathlib.Path(page.abs_src_path).read_text())}
    for path in sorted(linked - {None}):
        files.append(File(path, str(ROOT), config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown, page, config, files):
    def within_site(match):
        path = outside(page.file.src_uri, match[2])
        return match[0] if path is None else match[1] + posixpath.relpath(path, posixpath.dirname(page.file.src_uri) or ".")

    return OUTSIDE.sub(within_site, markdown)
