"""The result ring: shared memory where results wait for the manager, which reads them while the worker computes."""
import mmap
import os
import platform
import select
import socket
import sys
import tempfile
import threading
import time
from struct import Struct

from . import failpoints
from .frames import DOORBELL_FRAME, LENGTH

RING_OFFSET = 4096
RING_BYTES = 256 * 1024
OBJECT_BYTES = RING_OFFSET + RING_BYTES
READ_OFFSET = 64
SKIP_OFFSET = 128
SKIPS_OFFSET = 136
SKIP_RANGES_OFFSET = 144

# Indices of `counters`.
WRITTEN, STARTED, FORGOTTEN = 0, 1, 2

# Native format on purpose: each number is loaded with one 8-byte move.
ONE_COUNTER = Struct("@Q")
SKIP_RANGE = Struct("@QQ")


def make_shared_memory():
    """A descriptor of OBJECT_BYTES zeros that no name leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("funcx-results", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        # Interpreters built against a glibc before 2.27 (conda's, for one) have no memfd_create.
        descriptor, path = tempfile.mkstemp(dir="/dev/shm")
        os.unlink(path)
    try:
        os.ftruncate(descriptor, OBJECT_BYTES)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def ring_on(descriptor, sock):
    """The ring on a descriptor, or None in an interpreter of which it is not known that it stores a counter with one move, and fences with
    a lock, as CPython does: its worker answers over the socket."""
    return ResultRing(descriptor, sock) if platform.python_implementation() == "CPython" else None


class ResultRing:
    """The worker's side. `memory` is written by the worker's loop directly; `base` and `room` tell it where: a frame that ends at or
    before position `room` may be written at `memory[position - base]`. Positions count bytes since birth, as `written` does."""

    def __init__(self, descriptor, sock):
        if sys.byteorder != "little":
            raise OSError("result rings are little endian and this machine is not; start the worker without one")
        size = os.fstat(descriptor).st_size
        self.memory = mmap.mmap(descriptor, size)
        os.close(descriptor)
        self.size = size - RING_OFFSET
        if self.size < 4096 or self.size & (self.size - 1):
            raise OSError("the result ring has %d bytes, not a power of two of at least 4096" % self.size)
        self.largest = self.size // 4
        self.forgotten = 0
        self.base = -RING_OFFSET
        self.room = self.size
        self._sock = sock
        # Held all the time; see fence().
        self._lock = threading.Lock()
        self._lock.acquire()
        self.release, self.acquire = self._lock.release, self._lock.acquire
        # One 8-byte move for each store, so the manager never sees half a number. Struct.pack_into would not do: it fills its bytes with
        # zeros first, and the manager would now and then read 0.
        self.counters = memoryview(self.memory)[:24].cast("Q")
        if platform.machine() not in ("x86_64", "AMD64", "i686"):
            # x86 keeps stores in order: the frames, then `written`, then `started`. Elsewhere a fence stands before each.
            self.counters = _FencedCounters(self.counters, self.fence)
        if failpoints.armed("before-worker-result", "after-worker-result"):
            self.counters = _FailingCounters(self.counters)

    def fence(self):
        """A full memory fence. Releasing a lock and taking it again is a release operation followed by an acquire operation: two locked
        instructions on x86, and on ARMv8 an STLXR/LDADDL followed by an LDAXR/CASA, which the architecture keeps in order, and with
        them every access before the first and after the second. The other order (acquire, release) would not be a fence on ARM.
        The loop calls release and acquire itself."""
        self.release()
        self.acquire()

    def skipped(self, number):
        """True when the manager has taken task `number` back. Only after `started` was published and a fence passed."""
        while True:
            self.fence()
            skips, = ONE_COUNTER.unpack_from(self.memory, SKIPS_OFFSET)
            self.fence()
            skip_from, skip_to = SKIP_RANGE.unpack_from(self.memory, SKIP_RANGES_OFFSET + skips % 2 * SKIP_RANGE.size)
            self.fence()
            if ONE_COUNTER.unpack_from(self.memory, SKIPS_OFFSET)[0] == skips:
                return skip_from <= number < skip_to

    def forget(self):
        """Task `started` - 1 was taken back and will not be answered. The manager needs the count for the one task whose start and whose
        taking back it saw at the same time."""
        self.forgotten += 1
        self.counters[FORGOTTEN] = self.forgotten

    def ring_doorbell(self):
        try:
            sent = self._sock.send(DOORBELL_FRAME, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # the socket is full of doorbells the manager has not read yet: one more says nothing new
        if sent < len(DOORBELL_FRAME):
            self._sock.sendall(DOORBELL_FRAME[sent:])

    def make_room(self, written, started, needed):
        """Finds a place for a frame of `needed` bytes; returns the position to write it at. Rings and waits while the ring is full."""
        at = written & (self.size - 1)
        start = written
        if at + needed > self.size:
            if self.size - at >= 4:
                self._wait_until_free(written, started, written + 4)
                LENGTH.pack_into(self.memory, RING_OFFSET + at, 0)
            start = written + self.size - at
        self._wait_until_free(written, started, start + needed)
        self.base = start - (start & (self.size - 1)) - RING_OFFSET
        lap_end = self.base + RING_OFFSET + self.size
        self.room = min(lap_end, self._read() + self.size)
        return start

    def _read(self):
        return ONE_COUNTER.unpack_from(self.memory, READ_OFFSET)[0]

    def _wait_until_free(self, written, started, until):
        if until - self._read() <= self.size:
            return
        self.counters[WRITTEN] = written
        self.counters[STARTED] = started
        self.ring_doorbell()
        hangup = select.poll()
        hangup.register(self._sock.fileno(), 0)
        pause = 0.00002
        while until - self._read() > self.size:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
            if hangup.poll(0):
                os._exit(0)  # the manager is gone, and nobody will ever read the ring


class _FailingCounters:
    """Only when a fail point is chosen. To raise `written` is how a worker hands results to the manager."""

    def __init__(self, counters):
        self._counters, self._written = counters, 0

    def __setitem__(self, index, value):
        hands_over = index == WRITTEN and value != self._written
        if hands_over:
            self._written = value
            failpoints.passed("before-worker-result")
        self._counters[index] = value
        if hands_over:
            failpoints.passed("after-worker-result")


class _FencedCounters:
    def __init__(self, counters, fence):
        self._counters, self._fence = counters, fence

    def __setitem__(self, index, value):
        self._fence()
        self._counters[index] = value
