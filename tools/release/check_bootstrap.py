"""Checks whether the built file starts on `provided.al2023`, and prints its figures.

    python -m tools.release.check_bootstrap target/lambda/cfn-gitops/bootstrap

A binary that was linked against a newer glibc than Lambda's does not start there. The only sign is an error
in the log of the first invocation. The file's ELF headers contain the version, so this script reads them.
"""

import sys
import zlib
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MACHINE, LOADER = "EM_X86_64", "/lib64/ld-linux-x86-64.so.2"
# Amazon Linux 2023 has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
NEWEST_GLIBC = (2, 34)
# The minimal image's libraries that belong to glibc (most are stubs since 2.34), and libgcc_s.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-provided.html
PRESENT = {
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
}
# Lambda's limit for an uploaded package. The function's is far below, so a package near it is a mistake.
LARGEST_ZIPPED = 10_000_000


def glibc_versions(elf: ELFFile) -> list[tuple[int, ...]]:
    needed = [
        symbol.name
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for _, symbols in section.iter_versions()
        for symbol in symbols
    ]
    return [
        tuple(map(int, name.removeprefix("GLIBC_").split(".")))
        for name in needed
        if name.startswith("GLIBC_2")
    ]


def check(path: Path) -> list[str]:
    """Prints the figures and returns the faults."""
    faults = []
    content = path.read_bytes()
    with path.open("rb") as file:
        elf = ELFFile(file)
        machine = elf["e_machine"]
        if machine != MACHINE:
            faults.append(f"it is built for {machine}, not for {MACHINE}")
        loader = elf.get_section_by_name(".interp")
        if loader is not None and (name := loader.data().rstrip(b"\0").decode()) != LOADER:
            faults.append(f"its loader {name} does not exist")
        dynamic = elf.get_section_by_name(".dynamic")
        libraries = [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")] if dynamic else []
        newest = max(glibc_versions(elf), default=None)
    for library in sorted(set(libraries) - PRESENT):
        faults.append(f"it needs {library}, which provided.al2023 may not have")
    if newest and newest > NEWEST_GLIBC:
        faults.append(f"it needs glibc {dotted(newest)}; provided.al2023 has {dotted(NEWEST_GLIBC)}")
    zipped = len(zlib.compress(content, 6))
    if zipped > LARGEST_ZIPPED:
        faults.append(f"zipped it has {zipped} bytes, more than {LARGEST_ZIPPED}")
    print(
        f"{path}: {machine}, {len(content) / 1e6:.1f} MB, zipped {zipped / 1e6:.1f} MB, "
        f"needs glibc {dotted(newest) if newest else '-'} (at most {dotted(NEWEST_GLIBC)}), "
        f"libraries: {' '.join(libraries) or 'none'}"
    )
    return faults


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> int:
    path = Path(sys.argv[1])
    faults = check(path)
    for fault in faults:
        print(f"{path} would not start on provided.al2023: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
