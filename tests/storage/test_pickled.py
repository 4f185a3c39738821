"""Pickles are found by their content, whatever they are called and however they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from mainspring.storage.pickled import offence


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def saved(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


PICKLES = [pickle.dumps(Evil(), protocol) for protocol in range(6)]
EVIL = PICKLES[4]
BAD = {
    **{f"protocol {number}": data for number, data in enumerate(PICKLES)},
    "large": pickle.dumps([Evil(), b"x" * 200_000], 2),
    "large text": pickle.dumps([Evil(), *range(50_000)], 0),
    "zip": zipped(("model/data.pkl", EVIL), ("model/version", b"3")),
    "zip, last": zipped(*((f"{n}.txt", b"text") for n in range(50)), ("x", EVIL)),
    "zip in zip": zipped(("a.zip", zipped(("b", EVIL)))),
    "tar": tarred("storages", EVIL),
    "tar.gz": gzip.compress(tarred("storages", EVIL)),
    "gzip": gzip.compress(EVIL),
    "zlib": zlib.compress(EVIL),
    "bz2": bz2.compress(EVIL),
    "xz": lzma.compress(EVIL),
    "lzma": lzma.compress(EVIL, lzma.FORMAT_ALONE),
    "npy": saved([Evil(), None]),
    "npz": zipped(("a.npy", saved([1.0])), ("b.npy", saved([None, 1]))),
    "lz4": b"\x04\x22\x4d\x18rest",
    "zstd": b"\x28\xb5\x2f\xfdrest",
    "cut zip": zipped(("a", b"text" * 999))[:100],
}
GOOD = {
    "empty": b"",
    "text": b"cats and dogs\nand more.\n" * 99,
    "dots": b"." * 300,
    "json": b'{"a": [1, 2]}',
    "random": bytes(range(256)) * 300,
    "safetensors": struct.pack("<Q", 0x280)
    + b'{"w":{"dtype":"F32"}}'.ljust(0x280)
    + b"\x80\x04" * 99,
    "zip": zipped(("config.json", b"{}"), ("weights.bin", b"\1" * 999)),
    "npy": saved(np.arange(9.0)),
    "npz": zipped(("a.npy", saved([1.0]))),
    "gzip": gzip.compress(b"some text"),
    "tar.gz": gzip.compress(tarred("a.json", b"{}")),
    "onnx": b"\x08\x07\x12\x07pytorch" + b"\0" * 100,
}


@pytest.mark.parametrize("name", BAD)
def test_pickles_are_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(BAD[name])
    assert offence(path) is not None


@pytest.mark.parametrize("name", GOOD)
def test_data_is_let_through(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(GOOD[name])
    assert offence(path) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zip", "its member 'model/data.pkl': it is a pickle"),
        ("zip in zip", "its member 'a.zip': its member 'b': it is a pickle"),
        ("gzip", "unpacked, it is a pickle"),
        ("npy", "it is an array of objects, which is a pickle"),
        ("lz4", "it is compressed with LZ4, so it can't be looked into"),
        ("cut zip", "it is an archive that can't be looked into (File is not a zip file)"),
    ],
)
def test_the_offence_has_a_name(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(BAD[name])
    assert offence(path) == words


@pytest.mark.system("torch")
def test_what_torch_saves(tmp_path: Path) -> None:
    import torch

    for new in (True, False):
        torch.save({"w": torch.zeros(3)}, tmp_path / "m", _use_new_zipfile_serialization=new)
        assert offence(tmp_path / "m") is not None


def test_what_joblib_saves(tmp_path: Path) -> None:
    import joblib

    for compress in (0, 3, ("bz2", 3), ("xz", 3)):
        joblib.dump({"w": np.zeros(30)}, tmp_path / "m", compress=compress)
        assert offence(tmp_path / "m") is not None


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("first", ["a" * 70_000, b"a" * 70_000])
def test_an_argument_beyond_the_head_hides_nothing(
    tmp_path: Path, protocol: int, first: str | bytes
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps((first, Evil()), protocol=protocol))
    assert offence(path) == "it is a pickle"


def test_text_that_reads_like_a_long_argument_is_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("The words go on. " * 10_000)
    assert offence(path) is None


def test_a_large_archive_in_a_tar_is_looked_into(tmp_path: Path) -> None:
    large = zipped(("weights", os.urandom(200_000)))
    path = tmp_path / "x.tar"
    path.write_bytes(tarred("inner.zip", large))
    assert offence(path) is None
    path.write_bytes(
        tarred("inner.zip", zipped(("w", os.urandom(200_000)), ("d", pickle.dumps(Evil()))))
    )
    found = offence(path)
    assert found is not None
    assert "is a pickle" in found
