"""More versions in a small world: the champion's model again under another number, and what may be wrong with it."""

import io
import json
import zipfile
from typing import Any

from backend.model import bundle
from backend.store import deployments, ledger, sql
from backend.store.blobs import Blobs
from tests.conftest import World


def add(world: World, version: int, **about: Any) -> str:
    """The same model, trained again as this version; `about` is what its bundle says otherwise. Returns its name."""
    blobs, name = Blobs(world.settings.blobs), f"bundles/{version}.zip"
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        first = ledger.training_of(connection, 1)
        assert first is not None
        content = saying(blobs.read(first["bundle"]), version=version, **about)
        blobs.write(name, content)
        said = first | {"version": version, "bundle": name, "bundle_sha256": bundle.sha256(content)}
        ledger.decide(connection, "trained", version, None, "tests", "the same again", said)
    return name


def saying(content: bytes, **about: Any) -> bytes:
    """A bundle that says these things of itself."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        parts = {name: source.read(name) for name in source.namelist()}
        parts["bundle.json"] = json.dumps(json.loads(parts["bundle.json"]) | about).encode()
        for name, part in parts.items():
            target.writestr(name, part)
    return out.getvalue()


def as_format_1(content: bytes) -> bytes:
    """The same bundle as this program wrote it before format 2: stored, and without the trees' own text."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        about = json.loads(source.read("bundle.json")) | {"format": 1}
        target.writestr("bundle.json", json.dumps(about, indent=1, sort_keys=True))
        target.writestr("trees.treelite", source.read("trees.treelite"))
    return out.getvalue()


def replace(world: World, version: int, content: bytes) -> None:
    """Train that version once more, into another file."""
    name = f"bundles/{version}-again.zip"
    Blobs(world.settings.blobs).write(name, content)
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        trained = ledger.training_of(connection, version)
        assert trained is not None
        said = trained | {"bundle": name, "bundle_sha256": bundle.sha256(content)}
        ledger.decide(connection, "trained", version, None, "tests", "the same again", said)


def damage(world: World, name: str) -> None:
    """Change one bit in the middle of a bundle's file; a second time, change it back."""
    blobs = Blobs(world.settings.blobs)
    content = blobs.read(name)
    middle = len(content) // 2
    blobs.write(name, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def serving(world: World) -> int | None:
    """The version that is deployed."""
    with sql.open_engine(world.settings.database_url).connect() as connection:
        deployed = deployments.current(connection)
    return None if deployed is None else deployed.version
