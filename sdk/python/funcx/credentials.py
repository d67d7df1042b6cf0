"""Which service a user is logged in to: `credentials.json`, which `funcx login` writes."""
from __future__ import annotations

import json
import os
import pathlib
import stat
from typing import Any, Dict, Optional, Tuple
from urllib.parse import urlsplit

from .errors import FuncXError, NotAuthorised


def default_path() -> pathlib.Path:
    directory = os.environ.get("FUNCX_CONFIG_DIR")
    return (pathlib.Path(directory) if directory else pathlib.Path.home() / ".funcx") / "credentials.json"


def normal_address(address: str) -> str:
    """Scheme, host and port, in the form that the file's keys have."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("'%s' is not the address of a service; write https://HOST[:PORT], or http://127.0.0.1:PORT for one on this machine." % address)
    if ":" in host:
        host = "[%s]" % host
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("'%s' would carry the token over the network in clear; use https://%s. Plain http is for this machine only."
                         % (address, parts.netloc))
    if port is None or port == {"http": 80, "https": 443}[parts.scheme]:
        return "%s://%s" % (parts.scheme, host)
    return "%s://%s:%d" % (parts.scheme, host, port)


def find(service: Optional[str] = None, token: Optional[str] = None, token_file: Optional[str] = None,
         path: Optional[pathlib.Path] = None) -> Tuple[str, str]:
    """Address and token: those that are named, else those of the stored login."""
    if token is not None and token_file is not None:
        raise ValueError("token and token_file exclude each other")
    path = path or default_path()
    stored = {} if service is not None and (token or token_file) is not None else _read(path)
    if service is not None:
        address = normal_address(service)
    elif stored.get("current"):
        address = stored["current"]
    else:
        raise NotAuthorised("You are not logged in (%s). Run: funcx login ADDRESS (or pass service and token_file)" % path)
    if token_file is not None:
        return address, _checked(pathlib.Path(token_file).read_text(), str(token_file))
    if token is not None:
        return address, _checked(token, "token")
    found = (stored.get("tokens") or {}).get(address)
    if found is None:
        raise NotAuthorised("You are not logged in to %s. Run: funcx login %s (or pass token_file)" % (address, address))
    return address, found


def _read(path: pathlib.Path) -> Dict[str, Any]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return {}
    if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~(stat.S_IXGRP | stat.S_IXOTH):
        raise NotAuthorised("%s holds tokens but others may read or write it (%o). Run: chmod 600 %s" % (path, mode, path))
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("it is no JSON object")
        return stored
    except ValueError as problem:
        raise FuncXError("%s is not a credentials file: %s" % (path, problem)) from problem


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not token or any(not "!" <= character <= "~" for character in token):
        raise ValueError("%s does not hold a token; expected one line of text" % source)
    return token


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "[::1]") or host.startswith("127.")
