"""Completes the bill of materials of a release: to the packages that it was built from come the runtime that it carries and its own files."""
import argparse
import base64
import datetime
import hashlib
import json
import os

# What the packages' tool calls build-only since no assembly of theirs is referenced, but which is linked into funcx-manager.
LINKED = {"runtime.linux-x64.Microsoft.DotNet.ILCompiler"}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def files(release, directory):
    """The files below a directory of the release, in an order that is always the same."""
    for folder, folders, names in os.walk(os.path.join(release, directory)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, release)
            yield {"type": "file", "bom-ref": f"file:{relative}", "name": relative, "hashes": [{"alg": "SHA-256", "content": sha256(path)}]}


def framework(release, name, directory, version):
    return {
        "type": "framework",
        "bom-ref": f"pkg:generic/{name}@{version}",
        "name": name,
        "version": version,
        "scope": "required",
        "licenses": [{"license": {"id": "MIT"}}],
        "purl": f"pkg:generic/{name}@{version}",
        "components": list(files(release, directory)),
    }


def older_sqlite(package):
    """The package that SQLite for older systems is from: it is downloaded and not referenced, so the packages' tool does not see it."""
    name, version = "SQLitePCLRaw.lib.e_sqlite3", os.path.basename(package)
    with open(os.path.join(package, f"{name.lower()}.{version}.nupkg.sha512"), encoding="ascii") as file:
        digest = base64.b64decode(file.read()).hex()
    return {
        "type": "library",
        "bom-ref": f"pkg:nuget/{name}@{version}",
        "name": name,
        "version": version,
        "scope": "required",
        "hashes": [{"alg": "SHA-512", "content": digest.upper()}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "purl": f"pkg:nuget/{name}@{version}",
    }


def complete(bom, release, runtime, sqlite, seconds):
    bom["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    bom["metadata"]["component"]["licenses"] = [{"license": {"id": "Apache-2.0"}}]
    for component in bom["components"]:
        if component["name"] in LINKED:
            component["scope"] = "required"
    bom["components"] += [
        older_sqlite(sqlite),
        framework(release, "dotnet-hostfxr", "runtime/host", runtime),
        *(framework(release, name, f"runtime/shared/{name}", runtime) for name in ("Microsoft.NETCore.App", "Microsoft.AspNetCore.App")),
        *files(release, "bin"),
    ]
    return bom


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("packages", "release", "runtime", "sqlite", "output"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    with open(arguments.packages, encoding="utf-8") as file:
        bom = json.load(file)
    complete(bom, arguments.release, arguments.runtime, arguments.sqlite.rstrip("/"), int(os.environ["SOURCE_DATE_EPOCH"]))
    with open(arguments.output, "w", encoding="utf-8") as file:
        json.dump(bom, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
