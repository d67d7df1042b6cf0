"""PEP 517 and PEP 660 back end of this package, with the standard library only.

It reads the [project] table of pyproject.toml, which stays within what `_project` understands: Python 3.9 has no TOML reader.
"""
import ast
import base64
import hashlib
import io
import pathlib
import re
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The earliest time that a zip archive can hold: the same tree gives the same wheel.
EPOCH = (1980, 1, 1, 0, 0, 0)
TAG = "py3-none-any"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in _sources()]
    return _write_wheel(wheel_directory, files)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _write_wheel(wheel_directory, [("_funcx_editable.pth", (str(ROOT) + "\n").encode())])


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    directory = pathlib.Path(metadata_directory) / _info_name()
    directory.mkdir()
    for name, content in _info_files():
        (directory / name).write_bytes(content)
    return directory.name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory, config_settings=None):
    project = _project()
    base = "%s-%s" % (project["name"], project["version"])
    files = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in
             [ROOT / "pyproject.toml", ROOT / "README.md", *sorted((ROOT / "build_backend").glob("*.py")), *_sources()]]
    files.append(("PKG-INFO", _metadata()))
    with tarfile.open(pathlib.Path(sdist_directory) / (base + ".tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files:
            member = tarfile.TarInfo("%s/%s" % (base, name))
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return base + ".tar.gz"


def _sources():
    return sorted(path for path in (ROOT / "funcx").rglob("*") if path.suffix in (".py", ".pyi") or path.name == "py.typed")


def _write_wheel(directory, files):
    project = _project()
    name = "%s-%s-%s.whl" % (project["name"], project["version"], TAG)
    files = files + [("%s/%s" % (_info_name(), file), content) for file, content in _info_files()]
    record = "%s/RECORD" % _info_name()
    lines = ["%s,sha256=%s,%d" % (path, base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode(), len(content))
             for path, content in files]
    files.append((record, ("\n".join(lines + [record + ",,"]) + "\n").encode()))
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            member = zipfile.ZipInfo(path, EPOCH)
            member.external_attr = 0o100644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return name


def _info_name():
    project = _project()
    return "%s-%s.dist-info" % (project["name"], project["version"])


def _info_files():
    return [("METADATA", _metadata()), ("WHEEL", ("Wheel-Version: 1.0\nGenerator: funcx_build\nRoot-Is-Purelib: true\nTag: %s\n" % TAG).encode())]


def _metadata():
    project = _project()
    lines = ["Metadata-Version: 2.1", "Name: " + project["name"], "Version: " + project["version"], "Summary: " + project["description"],
             "License: " + project["license"], "Requires-Python: " + project["requires-python"]]
    lines += ["Classifier: " + text for text in project["classifiers"]]
    lines += ["Requires-Dist: " + text for text in project["dependencies"]]
    for extra, packages in project["extras"].items():
        lines.append("Provides-Extra: " + extra)
        lines += ["Requires-Dist: %s ; extra == '%s'" % (text, extra) for text in packages]
    lines += ["Description-Content-Type: text/markdown", "", (ROOT / project["readme"]).read_text(encoding="utf-8")]
    return "\n".join(lines).encode()


def _project():
    """Of [project]: strings and lists of strings, one key a line or a list over several; license.text; the optional dependencies."""
    tables = {}
    for title, body in re.findall(r"^\[([^\]\n]+)\]\n(.*?)(?=^\[[^\]\n]+\]\n|\Z)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M | re.S):
        tables[title] = dict(re.findall(r"^([\w-]+) = (\[.*?^\]|[^\n]*)$", body, re.M | re.S))
    project = {key: text if text.startswith("{") else ast.literal_eval(text) for key, text in tables["project"].items()}
    project["license"] = re.fullmatch(r'\{text = "(.*)"\}', project["license"]).group(1)
    project["extras"] = {key: ast.literal_eval(text) for key, text in tables["project.optional-dependencies"].items()}
    return project
