#!/usr/bin/python3
"""links.py names links that lead nowhere, and takes code for code."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import links


class Links(unittest.TestCase):
    def broken(self, readme):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name).resolve()
            (root / "docs").mkdir()
            (root / "docs" / "a.md").write_text("# One: `two`\n\n## Same\n\n## Same\n\n## All - but\n")
            (root / "README.md").write_text(readme)
            return list(links.broken(root))

    def test_what_leads_somewhere(self):
        self.assertEqual(self.broken("# Here\n\n[a](docs/a.md), [b](docs/a.md#one-two) [c](#here)\n[d](docs) [e](https://x.org/y#z)\n"), [])

    def test_what_does_not(self):
        for link in ("docs/b.md", "docs/a.md#three", "#there", "../x", "docs/a.md#same-1", "docs/a.md#all---but"):
            self.assertEqual(len(self.broken(f"x\n\n- [a]({link})\n")), 1, link)
        self.assertIn("README.md:3: docs/b.md: there is no docs/b.md", self.broken("x\n\n![a](docs/b.md)\n")[0])

    def test_code(self):
        self.assertEqual(self.broken("`[a](b)`\n\n```cpp\n[a](b)\n```\n\n    [a](b)\n"), [])


unittest.main()
