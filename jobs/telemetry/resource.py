"""Who tells: the service, its host and its process."""

from __future__ import annotations

import os
import platform
import socket

from opentelemetry.proto.resource.v1.resource_pb2 import Resource as Message
from opentelemetry.sdk.resources import Resource

from . import names
from .attributes import put
from .labels import label

SERVICE = "llmbatch"


def resource(version: str) -> Message:
    """``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` win over what is known here.

    The command line is never a part of it: prompts may be in it.
    """
    own: dict[str, str | int] = {
        names.SERVICE_NAME: SERVICE,
        names.SERVICE_VERSION: version,
        names.HOST_NAME: socket.gethostname(),
        names.PROCESS_PID: os.getpid(),
        names.PROCESS_RUNTIME: platform.python_implementation().lower(),
        names.PROCESS_RUNTIME_VERSION: platform.python_version(),
    }
    told = Resource.create().attributes
    given = {key: value for key, value in told.items() if not _unknown(key, value)}
    message = Message()
    for key, value in {**own, **given}.items():
        if key not in names.COMMAND_LINE:
            put(message.attributes, label(key), value if isinstance(value, int) else str(value))
    return message


def _unknown(key: str, value: object) -> bool:
    """What the SDK calls a service that nobody named."""
    return key == names.SERVICE_NAME and str(value).startswith("unknown_service")
