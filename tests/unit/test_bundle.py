"""A bundle serves, or says in a sentence why it cannot: damaged, foreign, too new, too old, or of the format before."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import treelite

from backend.flights import features
from backend.model import bundle, explain, train
from backend.model.bundle import BundleError
from backend.model.scoring import Calibration, Encoder
from backend.store.blobs import Blobs
from tests.integration import versions

COUNT = len(features.names())
ROWS = np.random.default_rng(1).random((200, COUNT))


@pytest.fixture(name="content", scope="module")
def make_content() -> bytes:
    """The file of a small model."""
    labels = np.random.default_rng(2).integers(0, 2, len(ROWS))
    trees = train.fit(ROWS, labels, 1, {"num_iterations": 4, "min_data_in_leaf": 5}).trees
    return bundle.pack(7, {"base_rate": 0.25}, Encoder(0.2, {"carrier": {}}), Calibration(1.5, 0.25), trees)


def load(content: bytes) -> bundle.Bundle:
    return bundle.load(content, bundle.sha256(content))


def refusal(content: bytes) -> str:
    """Why that file is refused."""
    with pytest.raises(BundleError) as refused:
        load(content)
    return str(refused.value)


def test_a_bundle_of_the_format_before_answers_the_same_and_only_gives_no_reasons(content: bytes) -> None:
    now, before = load(content), load(versions.as_format_1(content))
    assert now.text and before.text is None
    assert before.probability(ROWS).tolist() == now.probability(ROWS).tolist()
    assert explain.contributions(now, ROWS).by_feature.shape == ROWS.shape
    with pytest.raises(explain.UnexplainedError, match="version 7 has an older format"):
        explain.contributions(before, ROWS)


def test_one_for_features_that_nobody_computes_any_more_is_refused(content: bytes) -> None:
    older = versions.saying(versions.as_format_1(content), feature_list="1", features=["carrier", "origin"])
    assert refusal(older) == f"the bundle's features (list 1) are not this program's ({features.VERSION}): train again"


def test_one_of_a_format_that_is_not_known_yet_is_refused(content: bytes) -> None:
    assert refusal(versions.saying(content, format=3)).startswith("the bundle has format 3, this program reads 1 and 2")


def test_a_damaged_file_is_not_even_opened(content: bytes) -> None:
    with pytest.raises(BundleError, match="it is damaged"):
        bundle.load(content[:-1], bundle.sha256(content))


def with_part(content: bytes, name: str, part: bytes | None) -> bytes:
    """The same bundle with other bytes under that name, or without it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for kept in source.namelist():
            if kept != name:
                target.writestr(kept, source.read(kept))
        if part is not None:
            target.writestr(name, part)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("bundle.json", None),
        ("bundle.json", b"[]"),
        ("bundle.json", b"{"),
        ("bundle.json", b"\xff"),
        ("trees.treelite", None),
        ("trees.treelite", b""),
        ("trees.treelite", b"x" * 5000),
        ("trees.txt", None),
        ("trees.txt", b"\xff"),
    ],
)
def test_a_foreign_file_is_refused_in_a_sentence(content: bytes, name: str, part: bytes | None) -> None:
    said = refusal(with_part(content, name, part))
    assert "the bundle" in said and "\n" not in said and len(said) < 200
    assert "not one of this program's" in refusal(b"GIF89a") and "not one of this program's" in refusal(b"")


@pytest.mark.parametrize(
    "about",
    [
        {"calibration": {"slope": None, "intercept": 0.0}},
        {"calibration": {"slope": float("nan"), "intercept": 0.0}},
        {"encoder": {"mean": "often", "rates": {"carrier": {}}}},
        {"encoder": None},
    ],
)
def test_one_that_makes_no_probability_is_refused_before_anybody_asks(content: bytes, about: dict[str, Any]) -> None:
    assert "the bundle" in refusal(versions.saying(content, **about))


def test_trees_that_take_other_features_are_refused() -> None:
    few = json.dumps({"format": bundle.FORMAT, "feature_list": features.VERSION, "features": list(features.names())})
    data = lightgbm.Dataset(ROWS[:, :3], np.arange(len(ROWS)) % 2)
    booster = lightgbm.train({"objective": "binary", "num_iterations": 1, "verbosity": -1}, data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bundle.json", few)
        archive.writestr("trees.treelite", treelite.frontend.from_lightgbm(booster).serialize_bytes())
    assert refusal(out.getvalue()) == f"the bundle's trees take 3 features, not {COUNT}"


def test_a_file_that_is_not_there_or_cannot_be_read_is_said_without_its_place(tmp_path: Path, content: bytes) -> None:
    blobs = Blobs(str(tmp_path))
    with pytest.raises(BundleError, match=r"^its bundle is missing$"):
        bundle.read(blobs, "bundles/7.zip", bundle.sha256(content))
    (tmp_path / "bundles" / "7.zip").mkdir(parents=True)
    with pytest.raises(BundleError, match=r"^its bundle cannot be read: Is a directory$"):
        bundle.read(blobs, "bundles/7.zip", bundle.sha256(content))
    blobs.write("bundles/8.zip", content)
    assert bundle.read(blobs, "bundles/8.zip", bundle.sha256(content)).version == 7
