"""What user code prints, gathered per task. A print costs a list append; a task that prints nothing costs nothing."""
import io
import os
import sys

DEFAULT_LIMIT = 1024 * 1024


class TaskText(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr. Everything written since the last take() belongs to the task that is running. At most `limit`
    bytes are kept; what is beyond is counted. Descriptors 1 and 2 are not touched: what C code or child processes write there
    reaches the manager through its pipes."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = False
    write_through = True

    def __init__(self, descriptor, name, limit, attention):
        super().__init__()
        self.name = name
        self.mode = "w"
        self.buffer = _TaskBytes(self, name)
        self._descriptor = descriptor
        self._limit = limit
        self._attention = attention
        self._chunks = []
        self._room = limit
        self._cut = 0

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        length = len(text)
        if length == 0:
            return 0
        if length <= self._room:
            self._chunks.append(text)
            self._room -= length
        else:
            self._overflow(text)
        if not self._attention:
            self._attention.append(self)
        return length

    def write_bytes(self, data):
        data = bytes(data)
        self.write(data.decode("utf-8", "surrogateescape"))
        return len(data)

    def _overflow(self, text):
        kept = text[:self._room]
        self._chunks.append(kept)
        self._room -= len(kept)
        self._cut += len(_encode(text[len(kept):]))

    def take(self):
        """What was written since the last time, as bytes."""
        if not self._chunks and not self._cut:
            return b""
        chunks, cut = self._chunks, self._cut
        self._chunks, self._cut, self._room = [], 0, self._limit
        data = _encode("".join(chunks))
        if len(data) > self._limit:
            cut += len(data) - self._limit
            data = data[:self._limit]
        if cut:
            data += b"\n[funcx: %d bytes of output were cut; the limit is %d]\n" % (cut, self._limit)
        return data

    def write_through_descriptor(self):
        """For a process that user code forked: nobody will call take() there."""
        self._chunks = []
        self.write = lambda text: _write_all(self._descriptor, _encode(text), len(text))

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor

    def isatty(self):
        return False

    def flush(self):
        pass

    def close(self):
        """User code that closes its standard output must not take the next task's away."""

    def reconfigure(self, **settings):
        """Accepted for programs written for a terminal; the encoding stays UTF-8."""


class _TaskBytes(io.RawIOBase):
    """sys.stdout.buffer."""

    def __init__(self, text, name):
        super().__init__()
        self.name = name
        self._text = text

    def write(self, data):
        return self._text.write_bytes(data)

    def writable(self):
        return True

    def fileno(self):
        return self._text.fileno()

    def close(self):
        pass


def _encode(text):
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates: bytes that came through write_bytes, or text that has no other encoding
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace")


def _write_all(descriptor, data, result):
    while data:
        data = data[os.write(descriptor, data):]
    return result


class TaskOutput:
    """Both streams of a worker."""

    def __init__(self, limit, attention):
        self.stdout = TaskText(1, "<stdout>", limit, attention)
        self.stderr = TaskText(2, "<stderr>", limit, attention)

    def install(self):
        sys.stdout, sys.stderr = self.stdout, self.stderr

    def take(self):
        return self.stdout.take(), self.stderr.take()

    def write_through_descriptors(self):
        self.stdout.write_through_descriptor()
        self.stderr.write_through_descriptor()
