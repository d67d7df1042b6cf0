from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeleteEndpointReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class DeleteEndpointRequest(_message.Message):
    __slots__ = ["endpoint_id"]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    endpoint_id: str
    def __init__(self, endpoint_id: _Optional[str] = ...) -> None: ...

class EndpointInfo(_message.Message):
    __slots__ = ["description", "dispatched", "endpoint_id", "epoch", "last_seen", "name", "online", "queued", "registered_at", "status", "version"]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DISPATCHED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    description: str
    dispatched: int
    endpoint_id: str
    epoch: int
    last_seen: int
    name: str
    online: bool
    queued: int
    registered_at: int
    status: EndpointStatus
    version: str
    def __init__(self, endpoint_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., online: bool = ..., last_seen: _Optional[int] = ..., epoch: _Optional[int] = ..., version: _Optional[str] = ..., status: _Optional[_Union[EndpointStatus, _Mapping]] = ..., queued: _Optional[int] = ..., dispatched: _Optional[int] = ..., registered_at: _Optional[int] = ...) -> None: ...

class EndpointStatus(_message.Message):
    __slots__ = ["blocks_requested", "blocks_running", "completed", "managers", "note", "queued", "results_held", "running", "spool_bytes", "workers", "workers_busy"]
    BLOCKS_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    MANAGERS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_HELD_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SPOOL_BYTES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_BUSY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    blocks_requested: int
    blocks_running: int
    completed: int
    managers: int
    note: str
    queued: int
    results_held: int
    running: int
    spool_bytes: int
    workers: int
    workers_busy: int
    def __init__(self, blocks_requested: _Optional[int] = ..., blocks_running: _Optional[int] = ..., managers: _Optional[int] = ..., workers: _Optional[int] = ..., workers_busy: _Optional[int] = ..., queued: _Optional[int] = ..., running: _Optional[int] = ..., results_held: _Optional[int] = ..., spool_bytes: _Optional[int] = ..., completed: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class GetEndpointRequest(_message.Message):
    __slots__ = ["endpoint"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ...) -> None: ...

class ListEndpointsReply(_message.Message):
    __slots__ = ["endpoints"]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointInfo]
    def __init__(self, endpoints: _Optional[_Iterable[_Union[EndpointInfo, _Mapping]]] = ...) -> None: ...

class ListEndpointsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class RegisterEndpointReply(_message.Message):
    __slots__ = ["credential", "endpoint_id"]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    credential: str
    endpoint_id: str
    def __init__(self, endpoint_id: _Optional[str] = ..., credential: _Optional[str] = ...) -> None: ...

class RegisterEndpointRequest(_message.Message):
    __slots__ = ["description", "name"]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    description: str
    name: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
