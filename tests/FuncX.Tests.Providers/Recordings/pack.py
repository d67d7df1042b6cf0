#!/usr/bin/env python3
"""pack.py DIRECTORY OUT PREFIX...: puts recordings (a folder each: command, stdout, stderr, exit; submit of what a job saw) whose names begin with one of the prefixes
into one file, a JSON object a line; with a ^ before the first prefix, all others. stdout and stderr are text where they are UTF-8, else {"base64": ...}: they must come back byte for byte.
Beside it a file .sha256 has the checksum of each: its command, exit status, stdout, stderr and submit, each with a zero byte behind it."""
import base64
import hashlib
import json
import pathlib
import sys


def content(path):
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def checksum(folder):
    parts = [(folder / "command").read_bytes().strip(), (folder / "exit").read_bytes().strip()]
    parts += [path.read_bytes() if path.exists() else b"" for path in (folder / stream for stream in ("stdout", "stderr", "submit"))]
    return hashlib.sha256(b"".join(part + b"\0" for part in parts)).hexdigest()


def main(directory, out, *prefixes):
    others = prefixes[0].startswith("^")
    prefixes = (prefixes[0].removeprefix("^"), *prefixes[1:])
    sums = pathlib.Path(out).with_suffix(".sha256")
    with open(out, "w", encoding="utf-8", newline="\n") as packed, open(sums, "w", encoding="utf-8", newline="\n") as checksums:
        for folder in sorted(pathlib.Path(directory).iterdir()):
            if folder.is_dir() and folder.name.startswith(prefixes) != others:
                record = {"name": folder.name, "command": content(folder / "command").strip(), "exit": int((folder / "exit").read_text())}
                record.update({stream: content(folder / stream) for stream in ("stdout", "stderr", "submit") if (folder / stream).exists()})
                packed.write(json.dumps(record, ensure_ascii=True) + "\n")
                checksums.write(f"{checksum(folder)}  {folder.name}\n")


main(*sys.argv[1:])
