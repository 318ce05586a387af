#!/usr/bin/env python3
"""Reads TensorBoard's event files back, with a decoder of its own, and compares them with `khost export --to jsonl`:

    events_check.py EVENTS RECORDS.jsonl EXPERIMENT [--unfinished]

Every record must be in the file of its trial under its tag and step, as the nearest f32, and nothing else. With --unfinished a trial
of which there is no record may have events."""
import argparse
import json
import math
import os
import struct
import sys
import urllib.parse


def crc_table(polynomial=0x82F63B78):  # Castagnoli's, bits reversed
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def tf_records(data):
    at = 0
    while at < len(data):
        head = data[at : at + 8]
        (size,) = struct.unpack("<Q", head)
        (crc,) = struct.unpack("<I", data[at + 8 : at + 12])
        assert crc == masked_crc(head), f"the length at byte {at} has another checksum"
        record = data[at + 12 : at + 12 + size]
        assert len(record) == size, "the last record is cut off"
        (crc,) = struct.unpack("<I", data[at + 12 + size : at + 16 + size])
        assert crc == masked_crc(record), f"the record at byte {at} has another checksum"
        yield record
        at += 16 + size


def fields(message):
    """(number, value) of each field in Protocol Buffers' wire format."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        value = message[at : at + size]
        at += size
        yield key >> 3, struct.unpack("<d", value)[0] if kind == 1 else struct.unpack("<f", value)[0] if kind == 5 else value


def scalars(path):
    """By tag, then step. Where a tag's step falls behind, what it had from there on is dropped, as TensorBoard does."""
    with open(path, "rb") as file:
        records = list(tf_records(file.read()))
    first = dict(fields(records[0]))
    assert first[3] == b"brain.Event:2" and first[1] > 0, "the first event names no version"
    tags = {}
    for record in records[1:]:
        event = dict(fields(record))
        step = event.get(2, 0)
        value = dict(fields(dict(fields(event[5]))[1]))
        points = tags.setdefault(value[1].decode(), {})
        for later in [s for s in points if s >= step]:
            del points[later]
        points[step] = value[2]
    return tags


def nearest(value):
    """As an f32 holds it."""
    value = math.nan if value is None else float(value)
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def expected(lines):
    """By trial's folder, tag and step."""
    records, stepped = [json.loads(line) for line in lines], set()
    key = lambda r: (r["base"], r["arm"], r["draw"], r["seed"], r["probe"], r["name"])
    stepped = {key(r) for r in records if r["step"] is not None}
    out = {}
    for r in records:
        folder = f'{r["base"]}/{r["arm"]}/{"draw%d-" % r["draw"] if r["draw"] else ""}seed{r["seed"]}'
        tag = f'{r["probe"]}/{r["name"]}' + (" (trial)" if r["step"] is None and key(r) in stepped else "")
        out.setdefault(folder, {}).setdefault(tag, {})[r["step"] or 0] = nearest(r["value"])
    return out


def main():
    parser = argparse.ArgumentParser()
    for name in ("events", "records", "experiment"):
        parser.add_argument(name)
    parser.add_argument("--unfinished", action="store_true")
    args = parser.parse_args()
    with open(args.records) as file:
        want = expected(file)
    root = os.path.join(args.events, args.experiment)
    found = {}
    for folder, _, files in os.walk(root):
        for name in files:
            assert "tfevents" in name, f"TensorBoard does not read {name}"
            found[urllib.parse.unquote(os.path.relpath(folder, root))] = scalars(os.path.join(folder, name))
    if args.unfinished:
        found = {trial: tags for trial, tags in found.items() if trial in want}
    assert set(found) == set(want), f"trials {sorted(found)} instead of {sorted(want)}"
    points = 0
    for trial, tags in want.items():
        assert set(found[trial]) == set(tags), f"{trial}: tags {set(found[trial]) ^ set(tags)} are on one side alone"
        for tag, values in tags.items():
            assert list(found[trial][tag]) == list(values), f"{trial} {tag}: other steps"
            for step, value in values.items():
                got = found[trial][tag][step]
                assert got == value or (math.isnan(got) and math.isnan(value)), f"{trial} {tag} step {step}: {got}, not {value}"
                points += 1
    print(json.dumps({"trials": len(want), "points": points}))


if __name__ == "__main__":
    sys.exit(main())
