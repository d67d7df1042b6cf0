#!/usr/bin/env python3
"""pack.py DIRECTORY OUT PREFIX...: puts recordings (a folder each: command, stdout, stderr, exit; submit of what a job saw) whose names begin with one of the prefixes
into one file, a JSON object a line; with a ^ before the first prefix, all others. stdout and stderr are text where they are UTF-8, else {"base64": ...}: they must come back byte for byte."""
import base64
import json
import pathlib
import sys


def content(path):
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def main(directory, out, *prefixes):
    others = prefixes[0].startswith("^")
    prefixes = (prefixes[0].removeprefix("^"), *prefixes[1:])
    with open(out, "w", encoding="utf-8", newline="\n") as packed:
        for folder in sorted(pathlib.Path(directory).iterdir()):
            if folder.is_dir() and folder.name.startswith(prefixes) != others:
                record = {"name": folder.name, "command": content(folder / "command").strip(), "exit": int((folder / "exit").read_text())}
                record.update({stream: content(folder / stream) for stream in ("stdout", "stderr", "submit") if (folder / stream).exists()})
                packed.write(json.dumps(record, ensure_ascii=True) + "\n")


main(*sys.argv[1:])
