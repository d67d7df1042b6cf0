from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FUNCTION_KIND_COMMAND: FunctionKind
FUNCTION_KIND_DOTNET: FunctionKind
FUNCTION_KIND_MPI: FunctionKind
FUNCTION_KIND_PYTHON: FunctionKind
FUNCTION_KIND_UNSPECIFIED: FunctionKind

class DeleteFunctionReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class DeleteFunctionRequest(_message.Message):
    __slots__ = ["function_id"]
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class FunctionInfo(_message.Message):
    __slots__ = ["code", "container_id", "description", "entry", "function_id", "kind", "name", "registered_at", "requires"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_FIELD_NUMBER: _ClassVar[int]
    code: bytes
    container_id: str
    description: str
    entry: str
    function_id: str
    kind: FunctionKind
    name: str
    registered_at: int
    requires: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, function_id: _Optional[str] = ..., kind: _Optional[_Union[FunctionKind, str]] = ..., name: _Optional[str] = ..., entry: _Optional[str] = ..., code: _Optional[bytes] = ..., description: _Optional[str] = ..., registered_at: _Optional[int] = ..., requires: _Optional[_Iterable[str]] = ..., container_id: _Optional[str] = ...) -> None: ...

class GetFunctionRequest(_message.Message):
    __slots__ = ["function", "include_code"]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_CODE_FIELD_NUMBER: _ClassVar[int]
    function: str
    include_code: bool
    def __init__(self, function: _Optional[str] = ..., include_code: bool = ...) -> None: ...

class ListFunctionsReply(_message.Message):
    __slots__ = ["functions"]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[FunctionInfo]
    def __init__(self, functions: _Optional[_Iterable[_Union[FunctionInfo, _Mapping]]] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ["limit"]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class RegisterFunctionRequest(_message.Message):
    __slots__ = ["code", "container", "description", "entry", "kind", "name", "requires"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_FIELD_NUMBER: _ClassVar[int]
    code: bytes
    container: str
    description: str
    entry: str
    kind: FunctionKind
    name: str
    requires: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[_Union[FunctionKind, str]] = ..., name: _Optional[str] = ..., entry: _Optional[str] = ..., code: _Optional[bytes] = ..., description: _Optional[str] = ..., requires: _Optional[_Iterable[str]] = ..., container: _Optional[str] = ...) -> None: ...

class FunctionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
