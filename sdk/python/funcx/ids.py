"""Task ids: the client makes a batch's 12 bytes, so that sending a batch again is recognised; a task adds its index."""
import os
import re
import threading
import time
from typing import Tuple

BATCH_BYTES = 12
_TASK = re.compile(r"([0-9a-fA-F]{24})-(0|[1-9][0-9]{0,9})")


_gate = threading.Lock()
_last = [0, 0]


def new_batch() -> bytes:
    """6 bytes of Unix milliseconds (big endian), 6 random; within a millisecond one more than the last, so that a program's batches have an order."""
    now = time.time_ns() // 1_000_000
    with _gate:
        if now > _last[0]:
            # Room to count, wherever it begins.
            _last[:] = now, int.from_bytes(os.urandom(6), "big") >> 1
        else:
            _last[1] += 1
        return _last[0].to_bytes(6, "big") + _last[1].to_bytes(6, "big")


def format_task(batch: bytes, index: int) -> str:
    return "%s-%d" % (batch.hex(), index)


def parse_task(text: str) -> Tuple[bytes, int]:
    match = _TASK.fullmatch(text)
    if match is None or int(match.group(2)) > 0xFFFFFFFF:
        raise ValueError("'%s' is no task id; it is BATCH-INDEX: 24 hexadecimal digits, a hyphen, a decimal index" % text)
    return bytes.fromhex(match.group(1)), int(match.group(2))


def new_group() -> str:
    return "py-" + os.urandom(12).hex()


def check_group(group: str) -> str:
    if not 1 <= len(group) <= 64:
        raise ValueError("Group '%s' has %d characters; a group has 1 to 64." % (group, len(group)))
    return group
