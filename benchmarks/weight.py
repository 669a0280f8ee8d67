"""What kycgate weighs once installed: each extra into an empty environment, its megabytes and seconds.

    python benchmarks/weight.py [--each]

Bytecode is compiled, as pip does; downloads are in uv's cache after the first time. With --each the heaviest packages
are listed too.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("", "load", "postgres", "pkcs12", "ocr", "otel", "load,postgres,pkcs12,ocr,otel")
HEAVIEST = 12


def install(extra: str, folder: Path) -> tuple[float, Path]:
    """The seconds, and where the packages lie."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(folder)], check=True, env=environment)
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    begun = time.monotonic()
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--compile-bytecode",
         "--constraint", str(ROOT / "constraints.txt"), what],
        check=True, env=environment,
    )  # fmt: skip
    return time.monotonic() - begun, next(folder.glob("lib/python*/site-packages"))


def megabytes(packages: Path) -> Counter[str]:
    """By the first part of each file's path: what files hold, not what a file system gives them."""
    found: Counter[str] = Counter()
    for path in packages.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found[path.relative_to(packages).parts[0].removesuffix(".libs")] += path.stat().st_size
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--each", action="store_true", help="list the heaviest packages")
    each = parser.parse_args().each
    print("| installed | MB | s |\n| --- | --- | --- |")
    for extra in EXTRAS:
        with tempfile.TemporaryDirectory() as folder:
            seconds, packages = install(extra, Path(folder) / "venv")
            found = megabytes(packages)
        name = f"kycgate[{extra}]" if extra else "kycgate"
        print(f"| `{name}` | {found.total() / 1e6:.0f} | {seconds:.0f} |", flush=True)
        if each:
            for package, size in found.most_common(HEAVIEST):
                print(f"    {package}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
