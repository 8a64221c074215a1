"""``python -m fuzz TARGET [libFuzzer options]``: fuzz one target with the seed corpus and the dictionary.

What covers something new is kept in ``fuzz/corpus/TARGET``, what breaks the invariant in ``fuzz/crashes``; git ignores
both. ``python -m fuzz --targets`` lists the targets.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import fuzz.targets

HERE = Path(__file__).parent


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(module.name for module in pkgutil.iter_modules(fuzz.targets.__path__))


def main(arguments: list[str]) -> None:
    """Run one target until libFuzzer is told to stop."""
    if arguments == ["--targets"]:
        print(*targets(), sep="\n")
        return
    if not arguments or arguments[0] not in targets():
        sys.exit(f"usage: python -m fuzz TARGET [libFuzzer options]; targets: {', '.join(targets())}")
    atheris = importlib.import_module("atheris")  # here: the list of targets can be had without it
    name, *options = arguments
    with atheris.instrument_imports(include=["sipguard"]):
        target = importlib.import_module(f"fuzz.targets.{name}")
        corpus = importlib.import_module("fuzz.corpus")
    (HERE / "crashes").mkdir(exist_ok=True)
    fixed = [f"-dict={HERE / 'sip.dict'}", f"-artifact_prefix={HERE / 'crashes' / name}-", "-timeout=20"]
    atheris.Setup([f"fuzz.{name}", *fixed, *options, str(corpus.write(name, HERE / "corpus"))], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
