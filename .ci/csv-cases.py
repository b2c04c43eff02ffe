#!/usr/bin/env python3
"""Writes CSV texts, each with the rows that Python's csv module reads out of it in strict mode, as lines of JSON:
{"text": "...", "delimiter": ",", "rows": [["..."]] or null where it refuses}. Usage: csv-cases.py COUNT SEED > cases.jsonl

Spaces may precede a quote (skipinitialspace). Cells are written without their leading spaces. Texts with whitespace after a
quote, or with tabs in front of one, are left out: Python refuses the former, and does not ignore the latter."""
import csv
import io
import json
import random
import re
import sys

ALPHABET = ["a", "b", " ", ",", ",", '"', '"', '""', '"a"', ',"', ', "', '",', "\n", "\r\n", "\r", "é", "\t", "'", "\x00", "\u2028"]
LEFT_OUT = re.compile(r'"[ \t]|\t[ \t]*"')


def rows(text, delimiter):
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter, skipinitialspace=True)
        return [[cell.lstrip(" ") for cell in row] for row in reader if row]
    except csv.Error:
        return None


def text_of(source, alphabet, delimiter):
    if source.random() < 0.5:
        return "".join(source.choices(alphabet, k=source.randrange(0, 40)))
    # Written as a program would write it, so that the reader accepts most of these texts.
    out = io.StringIO(newline="")
    quoting = source.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, delimiter=delimiter, lineterminator=source.choice(["\n", "\r\n", "\r"]), quoting=quoting)
    for _ in range(source.randrange(0, 5)):
        writer.writerow(["".join(source.choices(alphabet, k=source.randrange(0, 6))) for _ in range(source.randrange(1, 5))])
    text = out.getvalue()
    return text.rstrip("\r\n") if source.random() < 0.3 else text


def main(count, seed):
    source = random.Random(seed)
    while count:
        delimiter = source.choice([",", ";", "\t", "|"])
        alphabet = [part.replace(",", delimiter) for part in ALPHABET]
        text = text_of(source, alphabet, delimiter)
        if not LEFT_OUT.search(text):
            print(json.dumps({"text": text, "delimiter": delimiter, "rows": rows(text, delimiter)}))
            count -= 1


main(int(sys.argv[1]), int(sys.argv[2]))
