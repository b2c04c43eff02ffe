"""Prints the figures of each page as a table: words, sentences, words a sentence, and sentences over the limit, for prose and
for the cells of tables. Usage: figures.py ROOT < FIGURES"""

import json
import os
import sys

root = sys.argv[1]
print(f"{'page':52} {'words':>6} {'sent.':>6} {'mean':>5} {'long':>6}   {'cells':>6} {'long':>6}")
for line in sorted(sys.stdin):
    figures = json.loads(line)
    prose, tables = figures["prose"], figures["tables"]
    share = [100 * part["long"] / max(part["sentences"], 1) for part in (prose, tables)]
    mean = prose["words"] / max(prose["sentences"], 1)
    page = os.path.relpath(figures["page"], root)
    print(
        f"{page:52} {prose['words']:6} {prose['sentences']:6} {mean:5.1f} {share[0]:5.1f}%"
        f"   {tables['sentences']:6} {share[1]:5.1f}%"
    )
