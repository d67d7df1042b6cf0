from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
OUTCOME_CANCELLED: Outcome
OUTCOME_EXCEPTION: Outcome
OUTCOME_EXPIRED: Outcome
OUTCOME_LOST: Outcome
OUTCOME_REJECTED: Outcome
OUTCOME_TIMED_OUT: Outcome
OUTCOME_TOO_LARGE: Outcome
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_VALUE: Outcome
TASK_STATE_DISPATCHED: TaskState
TASK_STATE_DONE: TaskState
TASK_STATE_QUEUED: TaskState
TASK_STATE_UNSPECIFIED: TaskState

class CancelReply(_message.Message):
    __slots__ = ["cancelled"]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    cancelled: int
    def __init__(self, cancelled: _Optional[int] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ["group", "task_ids"]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    group: str
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, task_ids: _Optional[_Iterable[str]] = ..., group: _Optional[str] = ...) -> None: ...

class GetGroupRequest(_message.Message):
    __slots__ = ["group"]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class GetTaskRequest(_message.Message):
    __slots__ = ["task_id", "with_call"]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_CALL_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    with_call: bool
    def __init__(self, task_id: _Optional[str] = ..., with_call: bool = ...) -> None: ...

class GroupInfo(_message.Message):
    __slots__ = ["dispatched", "done", "failed", "group", "labels", "last_active", "queued", "tasks", "waiting"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DISPATCHED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LAST_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    dispatched: int
    done: int
    failed: int
    group: str
    labels: _containers.ScalarMap[str, str]
    last_active: int
    queued: int
    tasks: int
    waiting: int
    def __init__(self, group: _Optional[str] = ..., tasks: _Optional[int] = ..., queued: _Optional[int] = ..., dispatched: _Optional[int] = ..., done: _Optional[int] = ..., failed: _Optional[int] = ..., waiting: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., last_active: _Optional[int] = ...) -> None: ...

class HopTimes(_message.Message):
    __slots__ = ["client_sent", "endpoint_back", "endpoint_received", "endpoint_sent", "manager_received", "result_committed", "service_accepted", "service_back", "service_committed", "service_sent", "worker_ended", "worker_started"]
    CLIENT_SENT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_BACK_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_SENT_FIELD_NUMBER: _ClassVar[int]
    MANAGER_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    RESULT_COMMITTED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_BACK_FIELD_NUMBER: _ClassVar[int]
    SERVICE_COMMITTED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_SENT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ENDED_FIELD_NUMBER: _ClassVar[int]
    WORKER_STARTED_FIELD_NUMBER: _ClassVar[int]
    client_sent: int
    endpoint_back: int
    endpoint_received: int
    endpoint_sent: int
    manager_received: int
    result_committed: int
    service_accepted: int
    service_back: int
    service_committed: int
    service_sent: int
    worker_ended: int
    worker_started: int
    def __init__(self, client_sent: _Optional[int] = ..., service_accepted: _Optional[int] = ..., service_committed: _Optional[int] = ..., service_sent: _Optional[int] = ..., endpoint_received: _Optional[int] = ..., endpoint_sent: _Optional[int] = ..., manager_received: _Optional[int] = ..., worker_started: _Optional[int] = ..., worker_ended: _Optional[int] = ..., endpoint_back: _Optional[int] = ..., service_back: _Optional[int] = ..., result_committed: _Optional[int] = ...) -> None: ...

class ListGroupsReply(_message.Message):
    __slots__ = ["groups", "next"]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[GroupInfo]
    next: str
    def __init__(self, groups: _Optional[_Iterable[_Union[GroupInfo, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ["after", "labels", "limit", "prefix", "recent", "unfinished"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    after: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    prefix: str
    recent: bool
    unfinished: bool
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., prefix: _Optional[str] = ..., unfinished: bool = ..., limit: _Optional[int] = ..., after: _Optional[str] = ..., recent: bool = ...) -> None: ...

class ListTasksReply(_message.Message):
    __slots__ = ["next", "tasks"]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    next: str
    tasks: _containers.RepeatedCompositeFieldContainer[TaskInfo]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskInfo, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ["after", "group", "limit", "state"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    after: str
    group: str
    limit: int
    state: TaskState
    def __init__(self, group: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class ResultChunk(_message.Message):
    __slots__ = ["base_time", "batch_ids", "bodies", "codes", "content_types", "counts", "cursor", "index", "large", "large_lengths", "lengths", "outcomes", "ran", "started", "stderr_lengths", "stdout_lengths"]
    BASE_TIME_FIELD_NUMBER: _ClassVar[int]
    BATCH_IDS_FIELD_NUMBER: _ClassVar[int]
    BODIES_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LARGE_FIELD_NUMBER: _ClassVar[int]
    LARGE_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    RAN_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STDERR_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    STDOUT_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    base_time: int
    batch_ids: bytes
    bodies: bytes
    codes: _containers.RepeatedScalarFieldContainer[int]
    content_types: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    cursor: int
    index: _containers.RepeatedScalarFieldContainer[int]
    large: _containers.RepeatedScalarFieldContainer[int]
    large_lengths: _containers.RepeatedScalarFieldContainer[int]
    lengths: _containers.RepeatedScalarFieldContainer[int]
    outcomes: _containers.RepeatedScalarFieldContainer[int]
    ran: _containers.RepeatedScalarFieldContainer[int]
    started: _containers.RepeatedScalarFieldContainer[int]
    stderr_lengths: _containers.RepeatedScalarFieldContainer[int]
    stdout_lengths: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, cursor: _Optional[int] = ..., batch_ids: _Optional[bytes] = ..., counts: _Optional[_Iterable[int]] = ..., index: _Optional[_Iterable[int]] = ..., outcomes: _Optional[_Iterable[int]] = ..., content_types: _Optional[_Iterable[int]] = ..., lengths: _Optional[_Iterable[int]] = ..., bodies: _Optional[bytes] = ..., stdout_lengths: _Optional[_Iterable[int]] = ..., stderr_lengths: _Optional[_Iterable[int]] = ..., codes: _Optional[_Iterable[int]] = ..., base_time: _Optional[int] = ..., started: _Optional[_Iterable[int]] = ..., ran: _Optional[_Iterable[int]] = ..., large: _Optional[_Iterable[int]] = ..., large_lengths: _Optional[_Iterable[int]] = ...) -> None: ...

class ResultsRequest(_message.Message):
    __slots__ = ["cursor", "follow", "group"]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    follow: bool
    group: str
    def __init__(self, group: _Optional[str] = ..., cursor: _Optional[int] = ..., follow: bool = ...) -> None: ...

class RetryOptions(_message.Message):
    __slots__ = ["backoff_ms", "on", "times"]
    BACKOFF_MS_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    backoff_ms: int
    on: _containers.RepeatedScalarFieldContainer[str]
    times: int
    def __init__(self, on: _Optional[_Iterable[str]] = ..., times: _Optional[int] = ..., backoff_ms: _Optional[int] = ...) -> None: ...

class SetGroupLabelsRequest(_message.Message):
    __slots__ = ["group", "remove", "set"]
    class SetEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    GROUP_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    group: str
    remove: _containers.RepeatedScalarFieldContainer[str]
    set: _containers.ScalarMap[str, str]
    def __init__(self, group: _Optional[str] = ..., set: _Optional[_Mapping[str, str]] = ..., remove: _Optional[_Iterable[str]] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ["already", "batch_ids", "error_code", "error_message"]
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    BATCH_IDS_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    already: bool
    batch_ids: bytes
    error_code: int
    error_message: str
    def __init__(self, batch_ids: _Optional[bytes] = ..., already: bool = ..., error_code: _Optional[int] = ..., error_message: _Optional[str] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ["batch_id", "bodies", "client_sent", "content_type", "endpoint_id", "function_id", "group", "labels", "lengths", "options"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    BODIES_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    bodies: bytes
    client_sent: int
    content_type: int
    endpoint_id: str
    function_id: str
    group: str
    labels: _containers.ScalarMap[str, str]
    lengths: _containers.RepeatedScalarFieldContainer[int]
    options: TaskOptions
    def __init__(self, batch_id: _Optional[bytes] = ..., function_id: _Optional[str] = ..., endpoint_id: _Optional[str] = ..., group: _Optional[str] = ..., content_type: _Optional[int] = ..., lengths: _Optional[_Iterable[int]] = ..., bodies: _Optional[bytes] = ..., options: _Optional[_Union[TaskOptions, _Mapping]] = ..., client_sent: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TaskCall(_message.Message):
    __slots__ = ["arguments", "content_type", "options"]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    arguments: bytes
    content_type: int
    options: TaskOptions
    def __init__(self, content_type: _Optional[int] = ..., arguments: _Optional[bytes] = ..., options: _Optional[_Union[TaskOptions, _Mapping]] = ...) -> None: ...

class TaskInfo(_message.Message):
    __slots__ = ["attempts", "call", "code", "content_type", "endpoint_id", "function_id", "group", "losses", "max_attempts", "outcome", "state", "stderr", "stdout", "task_id", "times", "value", "value_bytes", "waiting_for", "waiting_reason"]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    call: TaskCall
    code: int
    content_type: int
    endpoint_id: str
    function_id: str
    group: str
    losses: int
    max_attempts: int
    outcome: Outcome
    state: TaskState
    stderr: bytes
    stdout: bytes
    task_id: str
    times: HopTimes
    value: bytes
    value_bytes: int
    waiting_for: int
    waiting_reason: str
    def __init__(self, task_id: _Optional[str] = ..., function_id: _Optional[str] = ..., endpoint_id: _Optional[str] = ..., group: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., attempts: _Optional[int] = ..., max_attempts: _Optional[int] = ..., times: _Optional[_Union[HopTimes, _Mapping]] = ..., content_type: _Optional[int] = ..., value: _Optional[bytes] = ..., stdout: _Optional[bytes] = ..., stderr: _Optional[bytes] = ..., code: _Optional[int] = ..., losses: _Optional[int] = ..., value_bytes: _Optional[int] = ..., call: _Optional[_Union[TaskCall, _Mapping]] = ..., waiting_for: _Optional[int] = ..., waiting_reason: _Optional[str] = ...) -> None: ...

class TaskOptions(_message.Message):
    __slots__ = ["after", "deadline", "max_attempts", "priority", "retry", "walltime_ms"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    WALLTIME_MS_FIELD_NUMBER: _ClassVar[int]
    after: _containers.RepeatedScalarFieldContainer[str]
    deadline: int
    max_attempts: int
    priority: int
    retry: RetryOptions
    walltime_ms: int
    def __init__(self, walltime_ms: _Optional[int] = ..., deadline: _Optional[int] = ..., priority: _Optional[int] = ..., max_attempts: _Optional[int] = ..., retry: _Optional[_Union[RetryOptions, _Mapping]] = ..., after: _Optional[_Iterable[str]] = ...) -> None: ...

class ValuePiece(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ValueRequest(_message.Message):
    __slots__ = ["offset", "task_id"]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    offset: int
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
