"""Images that functions run in, and a user's containers at the service."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, List, Mapping, Tuple, Union

from .errors import NotFound
from .v1 import containers_pb2

if TYPE_CHECKING:
    from .client import Client


@dataclass(frozen=True)
class Container:
    """An image that functions run in: Container("analysis", {"apptainer": "/project/images/analysis.sif"}, environment={"OMP_NUM_THREADS": "4"}).

    It is registered when it is first used, or by Client.register_container. Function calls name it as `container` of their settings.
    """

    name: str
    #: The image for each runtime that is to run it: apptainer (a path of the endpoint, or library://, docker://, oras:// and a name), shifter
    #: (docker:NAME:TAG or id:DIGITS), podman, docker and charliecloud (an image's name), bubblewrap (the path of an unpacked root).
    images: Mapping[str, str] = field(default_factory=dict)
    #: Set inside, whatever the runtime.
    environment: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    #: Follows from images and environment; empty for one that was not registered.
    id: str = ""
    #: Unix seconds.
    registered_at: float = 0.0

    def __hash__(self) -> int:
        return hash((self.name, self.id))

    @property
    def identity(self) -> Tuple[object, ...]:
        """For the SDK itself: what two that are the same have in common."""
        return (self.name, self.description, tuple(sorted(self.images.items())), tuple(sorted(self.environment.items())))

    def _repr_html_(self) -> str:
        from .display import containers_html
        return containers_html([self])


class Containers:
    """The containers that a user has registered: `client.containers`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, container: str) -> Container:
        """By id, by the first 8 or more digits of its id, or by name (the newest of that name)."""
        connection = self._client.connection
        return container_of(connection.call(connection.containers.Get, containers_pb2.GetContainerRequest(container=container), "Container '%s'" % container))

    def list(self, limit: int = 100) -> List[Container]:
        """The newest first; at most 1,000."""
        from .registry import Tabled
        connection = self._client.connection
        reply = connection.call(connection.containers.List, containers_pb2.ListContainersRequest(limit=limit), "Listing containers")
        return Tabled(container_of(info) for info in reply.containers)

    def delete(self, container: Union[str, Container]) -> None:
        """Deletes a registration. Functions that run in it go on; others cannot name it any more. Of a Container that was not registered by this program
        the one with these images and this environment is meant."""
        connection = self._client.connection
        identity = self._id_of(container)
        connection.call(connection.containers.Delete, containers_pb2.DeleteContainerRequest(container_id=identity), "Deleting container %s" % identity)
        self._client.forget_container(identity)

    def _id_of(self, container: Union[str, Container]) -> str:
        if isinstance(container, str):
            return self.get(container).id
        if container.id:
            return container.id
        found = self.get(container.name)
        if (dict(found.images), dict(found.environment)) != (dict(container.images), dict(container.environment)):
            raise NotFound("Container '%s': the newest of that name, %s, has other images or another environment" % (container.name, found.id))
        return found.id

    def register(self, container: Container) -> Container:
        """As Client.register_container."""
        connection = self._client.connection
        request = containers_pb2.RegisterContainerRequest(name=container.name, description=container.description)
        request.images.update(container.images)
        request.environment.update(container.environment)
        registered = container_of(connection.call(connection.containers.Register, request, "Registering container '%s'" % container.name))
        self._client.forget_container_names()
        return registered


def container_of(info: containers_pb2.ContainerInfo) -> Container:
    return Container(info.name, dict(info.images), dict(info.environment), info.description, info.container_id, info.registered_at / 1e6)
