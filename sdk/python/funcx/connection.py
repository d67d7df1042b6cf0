"""The channel to one service, what a gRPC status means, and how long a service is waited for."""
from __future__ import annotations

import functools
import queue
import threading
import time
import weakref
from typing import Any, Callable, Optional, Type
from urllib.parse import urlsplit

import grpc

from .errands import Errands
from .errors import FuncXError, NotAuthorised, NotFound, Refused, Unreachable
from .process import Process
from .v1 import containers_pb2_grpc, endpoints_pb2_grpc, functions_pb2_grpc, tasks_pb2, tasks_pb2_grpc

MESSAGE_BYTES = 64 * 1024 * 1024
_WINDOW_BYTES = 16 * 1024 * 1024

_FIRST_DELAY, _LONGEST_DELAY = 0.02, 1.0
# The channel itself tries about once in a second: with less patience than this a call could fail because of an attempt that was made before it.
_LEAST_PATIENCE = 2.5

# As the service promises: each refusal names its limit, and these are limits of a single request, which waiting does not make smaller.
_TOO_LARGE = ("limit payload_bytes is", "limit batch_tasks is", "limit batch_bytes is", "limit request_bytes is", "larger than max")
# What gRPC says when a connection was cut in the middle of a call.
_CUT = ("RST_STREAM", "Stream removed", "GOAWAY", "Socket closed", "Connection reset", "Broken pipe", "Connection refused", "recvmsg", "sendmsg")

_UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


def is_transient(problem: Any) -> bool:
    """Whether the same request may succeed on the next connection."""
    code = problem.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return True
    detail = problem.details() or ""
    return code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN) and any(text in detail for text in _CUT)


def may_be_stopping(problem: Any) -> bool:
    """A service that is being stopped may end a stream that had worked with UNKNOWN or INTERNAL."""
    return is_transient(problem) or problem.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


def is_full(problem: Any) -> bool:
    """Whether the service has no room now, and will have."""
    return problem.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and not any(text in (problem.details() or "") for text in _TOO_LARGE)


class Outage:
    """How long one caller has been without the service."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._since = time.monotonic()
        self._failures = 0

    def over(self) -> None:
        self._failures = 0

    def delay(self) -> Optional[float]:
        """After a failure: how long to wait before the next attempt; None when that has gone on for too long."""
        now = time.monotonic()
        connection = self._connection
        if self._failures == 0 and connection.reached:
            self._since = now
        self._failures += 1
        budget = connection.retry_for if connection.reached else connection.connect_timeout
        if budget is not None and connection.reached:
            budget = max(budget, _LEAST_PATIENCE)
        if budget is not None and now - self._since >= budget:
            return None
        connection.seek()
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self._failures - 1, 6))


class Connection:
    """One channel and the token that every call carries. Safe for any number of threads."""

    def __init__(self, address: str, token: str, connect_timeout: float, retry_for: Optional[float]) -> None:
        self.address = address
        self.connect_timeout = connect_timeout
        self.retry_for = retry_for
        self.reached = False
        self.process = Process()
        self.closed = threading.Event()
        self.metadata = (("authorization", "Bearer " + token),)
        self._channel = _open(address)
        submissions = self._channel.stream_stream(_method("SubmitStream"), response_deserializer=tasks_pb2.SubmitReply.FromString)
        #: What is to be done with the channel on behalf of the main thread.
        self.errands = Errands(functools.partial(submissions, metadata=self.metadata))
        self.outbox = self.errands.outbox
        weakref.finalize(self, self.outbox.put, None).atexit = False
        self._gate = threading.Lock()
        self._is_seeking = False
        self.functions = functions_pb2_grpc.FunctionsStub(self._channel)
        self.containers = containers_pb2_grpc.ContainersStub(self._channel)
        self.endpoints = endpoints_pb2_grpc.EndpointsStub(self._channel)
        self.tasks = tasks_pb2_grpc.TasksStub(self._channel)
        #: Takes a request's bytes. Of its reply only the status matters.
        self.submit = self._channel.unary_unary(_method("Submit"))

    def call(self, method: Callable[..., Any], request: Any, what: str) -> Any:
        """One call that may be repeated; `what` begins the message of its errors."""
        self.process.check("This client")
        outage = Outage(self)
        while True:
            if self.closed.is_set():
                raise FuncXError("%s: the client was closed" % what)
            answer: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
            begin = functools.partial(self._begin, method, request, answer)
            if is_interruptible():
                self.outbox.put(begin)
            else:
                begin()
            done = answer.get()
            if not isinstance(done, grpc.RpcError):
                # gRPC raises ValueError for a call on a closed channel.
                if self.closed.is_set():
                    continue
                raise FuncXError("%s failed: %s" % (what, done)) from done
            if done.code() is grpc.StatusCode.OK:
                self.reached = True
                return done.result()
            if not self.closed.is_set():
                delay = outage.delay() if is_transient(done) else None
                if delay is None:
                    raise self.translate(done, what)
                self.closed.wait(delay)

    def _begin(self, method: Callable[..., Any], request: Any, answer: "queue.SimpleQueue[Any]") -> None:
        try:
            method.future(request, metadata=self.metadata).add_done_callback(answer.put)  # type: ignore[attr-defined]
        except Exception as problem:
            # To whoever waits for the answer.
            answer.put(problem)

    def seek(self) -> None:
        """Lets an attempt to connect go on between calls.

        gRPC serves its sockets only while something waits for it, and calls on a channel that could not connect fail at once: with nothing but such
        calls, made once in a while, an attempt would stay unanswered until its time is over.
        """
        with self._gate:
            if self._is_seeking or self.closed.is_set():
                return
            self._is_seeking = True
        self._channel.subscribe(self._changed, try_to_connect=True)

    def _changed(self, state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            with self._gate:
                self._is_seeking = False
            self._channel.unsubscribe(self._changed)

    def translate(self, problem: Any, what: str) -> FuncXError:
        code, detail = problem.code(), problem.details() or ""
        kind: Type[FuncXError]
        if code in _UNAVAILABLE or is_transient(problem):
            return Unreachable("%s: the service at %s cannot be reached: %s" % (what, self.address, detail))
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return NotAuthorised("%s: %s does not allow it: %s" % (what, self.address, detail))
        if code == grpc.StatusCode.NOT_FOUND:
            return NotFound("%s: %s" % (what, detail))
        if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE,
                    grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.ABORTED):
            return Refused("%s was refused: %s" % (what, detail))
        return FuncXError("%s failed (%s): %s" % (what, code.name, detail))

    def close(self) -> None:
        self.closed.set()
        if not self.process.is_other:
            self.outbox.put(None)
            self._channel.close()


def is_interruptible() -> bool:
    """Whether an interrupt (Ctrl-C) may fall between any two lines of this thread. gRPC's own locks would stay locked: such a thread makes no calls itself."""
    return threading.get_ident() == threading.main_thread().ident


def _method(name: str) -> str:
    return "/%s/%s" % (tasks_pb2.DESCRIPTOR.services_by_name["Tasks"].full_name, name)


def _open(address: str) -> grpc.Channel:
    parts = urlsplit(address)
    is_local = parts.scheme == "http"
    options = [
        ("grpc.max_send_message_length", MESSAGE_BYTES), ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        # Also under a stream that is silent for hours.
        ("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 15_000), ("grpc.http2.max_pings_without_data", 0),
        # The channel's own back-off starts at a second, which every restart of the service would cost.
        ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000),
        # In spite of its name how long an attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        # Two clients of one program do not share a connection: a million results of one would stand before a call of the other.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0 if is_local else 1),
        ("grpc.primary_user_agent", "funcx-python"),
        # The window is as large as it should be: gRPC would send a ping behind what comes to learn that, and both sides would wake up for it.
        ("grpc.http2.bdp_probe", 0),
    ]
    target = "%s:%d" % (parts.netloc.rsplit(":", 1)[0] if parts.port else parts.netloc, parts.port or (80 if is_local else 443))
    if is_local:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
