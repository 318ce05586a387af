#!/usr/bin/python3
"""run.py takes what a page promises and refuses everything else."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import run


def wrong(page):
    with tempfile.TemporaryDirectory() as folder:
        return run.run(run.blocks_of(page), pathlib.Path(folder), [])


def differs(expected, found):
    return run.first_difference(expected.splitlines(), found.splitlines())


class Lines(unittest.TestCase):
    def test_the_same(self):
        self.assertIsNone(differs("a  b\n", "a b\n"))
        self.assertIsNone(differs("loss 6.21 in 3 s\n", "loss 6.22 in 41.5 s\n"))
        self.assertIsNone(differs("runs/x/0123456789ab\n", "runs/x/f00000000000\n"))
        self.assertIsNone(differs("cpu ...\n", "cpu of any kind\n"))
        self.assertIsNone(differs("a\n...\nc\n...\n", "a\nb\nb\nc\n"))
        self.assertIsNone(differs("...\nb\n", "b\na\nb\n"))

    def test_another(self):
        self.assertEqual(differs("loss 6.21\n", "loss 6.41\n"), "loss 6.21")
        self.assertEqual(differs("12 trials\n", "13 trials\n"), "12 trials")
        self.assertEqual(differs("a b\n", "a c\n"), "a b")
        self.assertEqual(differs("a\nb\n", "a\n"), "b")
        self.assertEqual(differs("a\n", "a\nb\n"), "(the end)")
        self.assertEqual(differs("...\nb\n", "b\na\n"), "(the end)")
        self.assertEqual(differs("a\n...\nd\n", "a\nb\nc\n"), "d")


class Sessions(unittest.TestCase):
    def test_one_session_with_files(self):
        self.assertEqual(wrong("```sh\nmkdir f; cd f; x=3\n```\n```json\n// file: g/y\n{}\n```\n```console\nfalse\n```\n"
                               "```sh\ncat g/y; echo $x >&2\n```\n```text\n{}\n3\n```\n"), [])

    def test_a_command_that_fails(self):
        (line, what), = wrong("```sh\ntrue\n```\n\n```sh\necho so; false; echo no\n```\n```sh\ntrue\n```\n")
        self.assertEqual(line, 5)
        self.assertIn("exit code 1:\nso\n", what)

    def test_another_output(self):
        (line, what), = wrong("```sh\necho a\n```\n```text\nb\n```\n")
        self.assertEqual(line, 4)
        self.assertIn("from: b", what)
        self.assertEqual(wrong("```text\na\n```\n")[0][0], 1)


unittest.main()
