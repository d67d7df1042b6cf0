"""Counts the words of text files by map and reduce: tasks count the words of some lines each, and the counts are added up as they come.

    python3 word_count.py --endpoint laptop --top 20 books/*.txt
"""
import argparse
import collections
import itertools

import funcx


def count(text):
    """Words of a text, and how often each is there."""
    import re
    # A plain dict travels as JSON.
    return dict(collections.Counter(re.findall(r"[^\W\d_]+", text.lower())))


def pieces(names, lines):
    """The files in texts of so many lines; no more of a file is in memory than the text that is read."""
    for name in names:
        with open(name, encoding="utf-8", errors="replace") as file:
            while True:
                text = "".join(itertools.islice(file, lines))
                if not text:
                    break
                yield text


def main():
    parser = argparse.ArgumentParser(description="Counts the words of text files.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    parser.add_argument("--lines", type=int, default=5_000, help="lines of one task (5,000)")
    parser.add_argument("--top", type=int, default=10, help="how many words are printed (10)")
    parser.add_argument("files", nargs="+", help="text files in UTF-8")
    options = parser.parse_args()

    total, tasks = collections.Counter(), 0
    with funcx.Executor(options.endpoint) as executor:
        # In which order counts are added up does not matter: each is taken as it comes.
        for counts in executor.map(count, pieces(options.files, options.lines), ordered=False, window=1_000):
            total.update(counts)
            tasks += 1

    for word, times in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:options.top]:
        print("%8d %s" % (times, word))
    print("%d words, %d different ones, counted by %d tasks" % (sum(total.values()), len(total), tasks))


if __name__ == "__main__":
    main()
