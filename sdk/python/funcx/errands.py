"""The thread that uses the channel on behalf of the main thread, and the stream over which small messages go."""
from __future__ import annotations

import functools
import logging
import queue
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional

import grpc

from .v1 import tasks_pb2

_ID_BYTES = 12
_MOST_BYTES = 64 * 1024
# Whoever refuses a stream is not asked for another with each call.
_PAUSE = 1.0
# A stream is a place of its user's (the service's limit streams_per_user), and one that is open wakes the program up now and then.
_IDLE = 10.0
_logger = logging.getLogger("funcx")

Action = Callable[[], Any]


class Errands:
    """What is to be done with the channel on behalf of a thread in which an interrupt may fall anywhere.

    A small message that such a thread submits goes over an open stream, once there is one: that saves both sides what a call of its own costs, and whoever
    waits for actions is then the thread that gRPC asks for the stream's next message. What does not come through in this way goes the ordinary one,
    whatever the reason: the batch is the same, so the service takes it once. So does what follows on from an answer, on the thread that read it.
    """

    def __init__(self, open_stream: Callable[[Iterator[bytes]], Any]) -> None:
        self._open_stream = open_stream
        #: What is to be done; after a stream's end not always in the order in which it came. None: the client was closed, or is gone.
        self.outbox: "queue.SimpleQueue[Optional[Action]]" = queue.SimpleQueue()
        self._thread = 0
        self._stream: Optional[_Stream] = None
        self._is_wanted = False
        self._not_before = 0.0
        threading.Thread(target=self._serve, name="funcx-channel", daemon=True).start()

    @property
    def is_streaming(self) -> bool:
        """Whether small messages go over the stream now."""
        return self._stream is not None

    def offer(self, batch_id: bytes, request: bytes, answered: Callable[[bool], None]) -> bool:
        """Takes the message when it is the action's that runs now, and there is a stream; then `answered` is called on another thread, with whether the
        service has it."""
        if len(request) > _MOST_BYTES:
            return False
        stream, thread = self._stream, threading.get_ident()
        if stream is not None and stream.thread == thread:
            return stream.take(batch_id, request, answered)
        if thread == self._thread:
            self._is_wanted = True
        return False

    def _serve(self) -> None:
        self._thread = threading.get_ident()
        patience = None
        while True:
            try:
                action = self.outbox.get(timeout=patience)
            except queue.Empty:
                # For a stream's thread that waits still.
                self.outbox.put(None)
                return
            if action is None:
                # Whoever had not seen that is still served.
                patience = 1.0
                continue
            _do(action)
            # Nothing is kept alive while this waits.
            del action
            if self._is_wanted and patience is None and time.monotonic() >= self._not_before:
                self._read_replies()

    def _read_replies(self) -> None:
        """Opens a stream, whose thread does the actions from now on, and reads what it is answered until it is over."""
        self._is_wanted = False
        stream = self._stream = _Stream(self.outbox)
        try:
            stream.call = self._open_stream(stream.messages())
            for reply in stream.call:
                stream.answered(reply)
        except grpc.RpcError:
            pass
        except ValueError:
            # gRPC's word for a closed channel.
            pass
        except Exception:
            _logger.exception("The stream of submissions could not be read")
        self._stream = None
        self._not_before = time.monotonic() + (0 if stream.was_idle else _PAUSE)
        stream.end()


class _Stream:
    def __init__(self, outbox: "queue.SimpleQueue[Optional[Action]]") -> None:
        self._outbox = outbox
        self._gate = threading.Lock()
        self._unanswered: Dict[bytes, Callable[[bool], None]] = {}
        self._messages: Deque[bytes] = deque()
        self._is_over = False
        #: The one that does the actions; 0 before the first.
        self.thread = 0
        self.call: Any = None
        #: It was ended because nobody had used it.
        self.was_idle = False

    def messages(self) -> Iterator[bytes]:
        """For gRPC, on a thread of its own: does the actions, and gives what they submit."""
        self.thread = threading.get_ident()
        while True:
            try:
                action = self._outbox.get(timeout=_IDLE)
            except queue.Empty:
                if self._end_idle():
                    return
                continue
            if action is None or self._is_over:
                # It is for whoever comes next.
                self._outbox.put(action)
                return
            _do(action)
            del action
            while self._messages:
                yield self._messages.popleft()

    def _end_idle(self) -> bool:
        with self._gate:
            if self._is_over:
                return True
            if self._unanswered or self.call is None:
                return False
            self.was_idle = True
        # The other thread hears of it at once, whether the service does or not.
        self.call.cancel()
        return True

    def take(self, batch_id: bytes, request: bytes, answered: Callable[[bool], None]) -> bool:
        with self._gate:
            if self._is_over:
                return False
            self._unanswered[batch_id] = answered
        self._messages.append(request)
        return True

    def answered(self, reply: tasks_pb2.SubmitReply) -> None:
        """Several that were accepted together may have one answer."""
        for start in range(0, len(reply.batch_ids), _ID_BYTES):
            with self._gate:
                answered = self._unanswered.pop(reply.batch_ids[start:start + _ID_BYTES], None)
            if answered is not None:
                _do(functools.partial(answered, reply.error_code == 0))

    def end(self) -> None:
        """The stream is over: what was not answered hears of it, and the actions are somebody else's."""
        with self._gate:
            self._is_over = True
            left: List[Callable[[bool], None]] = list(self._unanswered.values())
            self._unanswered.clear()
        self._outbox.put(_nothing)
        for answered in left:
            _do(functools.partial(answered, False))


def _do(action: Action) -> None:
    try:
        action()
    except Exception:
        _logger.exception("A call to the service could not be made")


def _nothing() -> None:
    """Wakes up whoever waits for an action."""
