"""Randomness and threads: every generator starts from the order's seed, also those made later.

A generator of numpy or torch that is imported only inside the step is seeded at that moment; one
that a project module made while it was imported starts anew from the seed and its own name.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

from mainspring.records.canonical import digest_of

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_WORD = 2**32
_EXPLICIT = 2**64  # a seed that a person wrote; what the system draws has 128 bits


def seed_everything(
    seed: int, generators: Iterable[tuple[str, Any]] = (), *, deterministic: bool = True
) -> None:
    """Seed `random`, and numpy, torch and TensorFlow now or when they are imported; then
    `generators`. `deterministic` has torch, TensorFlow and JAX keep to algorithms that give the
    same bits each time."""
    random.seed(seed)
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, _SeedOnImport)]
    late: dict[str, Callable[[int, bool], None]] = {}
    for module, sow in _LIBRARIES.items():
        if module in sys.modules:
            sow(seed, deterministic)
        else:
            late[module] = sow
    if late:
        sys.meta_path.insert(0, _SeedOnImport(seed, deterministic, late))
    for name, generator in generators:
        _reseed(generator, derived(seed, name))


def derived(seed: int, name: str) -> int:
    """A 64-bit seed that depends on `seed` and `name`."""
    return int(digest_of([seed, name]).partition(":")[2][:16], 16)


def import_time_generators(modules: Iterable[ModuleType]) -> list[tuple[str, Any]]:
    """The generators in the globals of `modules` that nobody seeded, by qualified name."""
    found: list[tuple[str, Any]] = []
    seen: set[int] = set()
    for module in modules:
        for name, value in sorted(vars(module).items()):
            if id(value) not in seen and _unseeded(value):
                seen.add(id(value))
                found.append((f"{module.__name__}.{name}", value))
    return found


def _unseeded(value: Any) -> bool:
    if type(value) is random.Random:
        return True
    if type(value).__module__.partition(".")[0] != "numpy":
        return False
    bits = getattr(value, "_bit_generator", None) or getattr(value, "bit_generator", None)
    sequence = getattr(bits, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    return isinstance(entropy, int) and entropy >= _EXPLICIT


def _reseed(generator: Any, seed: int) -> None:
    if isinstance(generator, random.Random):
        generator.seed(seed)
        return
    bits = getattr(generator, "_bit_generator", None) or generator.bit_generator
    bits.state = type(bits)(seed).state


def _seed_numpy(seed: int, deterministic: bool) -> None:
    del deterministic  # it knows nothing else
    # Not as an attribute of numpy, which it becomes only after its import.
    generators: Any = sys.modules["numpy.random"]
    generators.seed(seed % _WORD)


def _seed_torch(seed: int, deterministic: bool) -> None:
    torch: Any = sys.modules["torch"]
    torch.manual_seed(seed)
    if deterministic:
        # cuBLAS reads it when CUDA is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)


def _seed_tensorflow(seed: int, deterministic: bool) -> None:
    tensorflow: Any = sys.modules["tensorflow"]
    tensorflow.random.set_seed(seed % _WORD)
    if deterministic:
        tensorflow.config.experimental.enable_op_determinism()


def _set_up_jax(seed: int, deterministic: bool) -> None:
    """JAX has no generator of its own to seed: a step makes its keys from `mainspring.rng()`."""
    del seed
    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and _XLA not in flags:
        # XLA reads it when a backend is first used.
        os.environ["XLA_FLAGS"] = f"{flags} --{_XLA}=true".lstrip()


_XLA = "xla_gpu_deterministic_ops"
_LIBRARIES: dict[str, Callable[[int, bool], None]] = {
    "numpy.random": _seed_numpy,
    "torch": _seed_torch,
    "tensorflow": _seed_tensorflow,
    "jax": _set_up_jax,
}


class _SeedOnImport:
    """A finder that seeds a library at the end of its import."""

    def __init__(
        self, seed: int, deterministic: bool, late: dict[str, Callable[[int, bool], None]]
    ) -> None:
        self._seed = seed
        self._deterministic = deterministic
        self._late = late

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        sow = self._late.pop(name, None)
        spec = importlib.util.find_spec(name) if sow else None
        if sow is None or spec is None or spec.loader is None:
            return None
        loader, seed, deterministic = spec.loader, self._seed, self._deterministic
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del cast(Any, loader).exec_module
            load(module)
            sow(seed, deterministic)

        # On the instance: whoever asks for the loader's type still sees the real one.
        cast(Any, loader).exec_module = exec_module
        return spec


def limit_threads(threads: int, present: int = 1) -> object:
    """Give numerical libraries `threads` threads; `present` is what they were started with.

    Returns what has to be kept for as long as the limit is wanted.
    """
    if threads == present:
        return None
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    numexpr: Any = sys.modules.get("numexpr")
    if numexpr is not None:
        numexpr.set_num_threads(threads)
    if "numpy" not in sys.modules and torch is None:
        return None
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    import threadpoolctl

    return cast(Any, threadpoolctl).threadpool_limits(threads)
