"""Machine code on disk: read where nobody else can have written it, made anew where it is damaged or cannot be kept."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from scan_problems import answer, problem

from harness.recurrence.compiler import kernel, recurrence, stored

Bits = Callable[[], bytes]


@pytest.fixture
def bits(monkeypatch, tmp_path: Path) -> Bits:
    """Gradients of a small network by code that this process has not loaded, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    p = problem("tanh", T=3, B=2, H=3, D=2, dtype=torch.float32)

    def computed() -> bytes:
        recurrence.compiled.cache_clear()
        return answer(p)["∂W"].tobytes()

    return computed


@pytest.fixture
def compilations(monkeypatch) -> list[str]:
    """The names of the functions that are compiled from here on."""
    names = []
    compile_it = kernel.machine_code

    def counted(module, processor) -> bytes:
        names.append(module.name)
        return compile_it(module, processor)

    monkeypatch.setattr(kernel, "machine_code", counted)
    return names


def files() -> list[Path]:
    return sorted(path for path in stored.folder().rglob("*") if path.is_file())


def test_a_function_is_compiled_once_on_a_machine(bits: Bits, compilations: list[str]) -> None:
    first = bits()
    assert sorted(compilations) == ["backward", "forward_keep"]
    assert len(files()) == 2
    assert bits() == first
    assert len(compilations) == 2
    assert stat.S_IMODE(stored.folder().stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["empty", "zeros", "shorter", "one bit"])
def test_a_damaged_file_is_made_again(bits: Bits, compilations: list[str], damage: str) -> None:
    first = bits()
    for file in files():
        data = file.read_bytes()
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        file.write_bytes({"empty": b"", "zeros": b"\0" * 100, "shorter": data[:-1], "one bit": flipped}[damage])
    assert bits() == first
    assert len(compilations) == 4
    assert bits() == first
    assert len(compilations) == 4, "the damaged files were not replaced"


@pytest.mark.skipif(os.name != "posix", reason="permissions")
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_folder_that_others_can_write_is_neither_read_nor_written(bits: Bits, compilations, mode: int) -> None:
    first = bits()
    stored.folder().chmod(mode)
    for file in files():
        file.write_bytes(b"")
    for _ in range(2):
        assert bits() == first
    assert len(compilations) == 6
    assert all(file.read_bytes() == b"" for file in files())


@pytest.mark.skipif(os.name != "posix", reason="permissions")
@pytest.mark.parametrize(("mode", "trusted"), [(0o777, False), (0o1777, True), (0o755, True)])
def test_a_folder_whose_parent_others_can_rename_in_is_not_trusted(
    bits: Bits, compilations, tmp_path: Path, mode: int, trusted: bool
) -> None:
    first = bits()
    tmp_path.chmod(mode)
    assert bits() == first
    assert len(compilations) == (2 if trusted else 4)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_to_a_folder_is_not_trusted(bits: Bits, compilations, tmp_path: Path) -> None:
    first = bits()
    folder = stored.folder()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert bits() == first
    assert len(compilations) == 4


def test_a_full_disk_costs_a_compilation_and_leaves_no_part_of_a_file(bits: Bits, compilations, monkeypatch) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        first = bits()
    assert files() == []
    assert list(stored.folder().iterdir()) == []
    assert bits() == first
    assert len(compilations) == 4


def test_where_no_folder_can_be_made_every_process_compiles_for_itself(bits: Bits, compilations, tmp_path) -> None:
    (tmp_path / "vanishing-gradient-harness").write_text("a file in the place of the folder")
    assert bits() == bits()
    assert len(compilations) == 4


def test_a_user_without_a_home_needs_no_cache(bits: Bits, compilations, monkeypatch, tmp_path: Path) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert bits() == bits()
    assert list(tmp_path.iterdir()) == []  # no folder called "~"


def test_a_change_of_the_compilers_sources_has_files_of_its_own(bits: Bits, compilations, monkeypatch) -> None:
    first = bits()
    monkeypatch.setattr(stored, "_engine", lambda: "other sources")
    assert bits() == first
    assert len(compilations) == 4
    assert len(files()) == 4


def test_the_sources_that_files_are_named_after_are_all_of_the_compilers(monkeypatch, tmp_path: Path) -> None:
    before = stored._engine.__wrapped__()
    for source in stored.HERE.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(stored, "HERE", tmp_path)
    assert stored._engine.__wrapped__() == before
    for source in tmp_path.glob("*.py"):
        text = source.read_bytes()
        source.write_bytes(text + b"# changed\n")
        assert stored._engine.__wrapped__() != before, source.name
        source.write_bytes(text)
