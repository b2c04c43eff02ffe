#!/usr/bin/env python3
"""Writes CSV texts, each with the rows that Python's csv module reads out of it in strict mode, as lines of JSON:
{"text": "...", "rows": [["..."]] or null where it refuses}. Usage: csv-cases.py COUNT SEED > cases.jsonl"""
import csv
import io
import json
import random
import sys

ALPHABET = ["a", "b", " ", ",", ",", '"', '"', '""', '"a"', ',"', '",', "\n", "\r\n", "\r", "é", "\t", "'", "\x00", "\u2028"]


def rows(text):
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return None


def main(count, seed):
    source = random.Random(seed)
    for _ in range(count):
        if source.random() < 0.5:
            text = "".join(source.choices(ALPHABET, k=source.randrange(0, 40)))
        else:
            # As a program would write it, so that most of these are taken.
            out = io.StringIO(newline="")
            writer = csv.writer(out, lineterminator=source.choice(["\n", "\r\n", "\r"]), quoting=source.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
            for _ in range(source.randrange(0, 5)):
                writer.writerow(["".join(source.choices(ALPHABET, k=source.randrange(0, 6))) for _ in range(source.randrange(1, 5))])
            text = out.getvalue()
            if text and source.random() < 0.3:
                text = text.rstrip("\r\n")
        print(json.dumps({"text": text, "rows": rows(text)}))


main(int(sys.argv[1]), int(sys.argv[2]))
