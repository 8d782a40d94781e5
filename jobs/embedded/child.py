"""The child process: llama.cpp's server on loopback, for as long as its parent holds its input.

Started by :mod:`.server` as a plain file, so that it imports nothing of this package. One line of
JSON comes in on standard input; one goes out on standard output, with ``address`` or ``error``.
The end of standard input is the order to leave.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1


def main() -> None:
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints belongs with the log
    order = _read_order()
    # A terminal's Ctrl-C and a supervisor's SIGTERM reach whole groups, and rows in flight still
    # need answers. The parent decides when it is over.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _die_with(order["parent"])
    # A thread, because of what comes before the model is loaded; llama.cpp then holds the GIL
    # until it is, and only the kernel's signal works.
    watcher = threading.Thread(target=_leave_at_end_of_input, daemon=True)
    watcher.start()
    try:
        server = _serve(order)
        _say(answer, address=server.listening_address)
        watcher.join()
    except ImportError as error:
        _say(answer, error=f"llama.cpp can't be loaded: {error}")
    except Exception as error:  # noqa: BLE001 -- whatever it is, the parent reports it
        _say(answer, error=str(error))
    # Only a failed start gets here, and leaves in the ordinary way: llama.cpp writes its log
    # from a thread of its own, which is heard out at exit.


def _say(answer: int, **reply: str) -> None:
    os.write(answer, json.dumps(reply).encode() + b"\n")


def _read_order() -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(0, 65536)
        if not block:
            os._exit(0)
        line += block
    order: dict[str, Any] = json.loads(line)
    return order


def _die_with(parent: int) -> None:
    """On Linux the kernel kills this process with its parent, whatever it is busy with."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the signal was asked for
        os._exit(0)


def _leave_at_end_of_input() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(0)  # llama.cpp's threads would hold up any other way out


def _serve(order: dict[str, Any]) -> Any:
    """Returns when the model is loaded and the server listens."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {order["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.n_parallel = order["parallel"]
    params.n_ctx = order["context"] * order["parallel"]
    params.cpuparams.n_threads = order["threads"]
    params.cpuparams_batch.n_threads = order["threads"]
    # Short turns over long prompts, and a comment in the stream every 5 s: a slow machine that
    # reads a long prompt must not look like a stalled one.
    params.n_batch = params.n_ubatch = 256
    params.sse_ping_interval = 5
    params.cont_batching = True
    params.use_jinja = True
    params.warmup = False
    params.cache_ram_mib = 0  # old prompts are kept in their slots alone, not in memory besides
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1  # errors
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
