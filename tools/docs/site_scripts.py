"""The scripts that Material for MkDocs loads from unpkg.com: the site contains them, so that it needs no
internet.

`python -m tools.docs.site_scripts <folder>` gets them with npm, which not every machine has. Without npm, the
pictures of the site still load from unpkg.com, and its search in a folder does.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple


class Script(NamedTuple):
    package: str
    path: str
    sha256: str


# Both packages have the MIT licence. Material 9.8 loads Mermaid 11.
SCRIPTS = {
    "mermaid": Script(
        "mermaid@11.17.2",
        "dist/mermaid.min.js",
        "581ed7d74bd9048d0e3a91363927d72ef22942d7722546b27f7cc29e35390eb8",
    ),
    "iframe-worker": Script(
        "iframe-worker@1.0.4",
        "shim/index.js",
        "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
    ),
}
_IN_SITE = "assets/scripts"
# A picture keeps its size, and scrolls if the page is narrower (docs/site.css). Otherwise its text shrinks
# with it. On a phone, it goes from top to bottom, and fits.
_KEEP_SIZE = """<script>
      { const { initialize, render } = mermaid, useMaxWidth = matchMedia("(max-width: 600px)").matches
        mermaid.initialize = config => initialize({ ...config, flowchart: { useMaxWidth, rankSpacing: 30, subGraphTitleMargin: { top: 6, bottom: 14 } } })
        mermaid.render = (id, text) => render(id, useMaxWidth ? text.replace(/^(flowchart|graph) LR/m, "$1 TB") : text) }
      </script>"""  # noqa: E501
_SHIM = "https://unpkg.com/iframe-worker/shim"
# Material's own script, with the path from the page to the folder of the site.
_BUNDLE = re.compile(r'<script src="([^"]*)assets/javascripts/bundle\.')


def install(folder: Path) -> None:
    """Puts each script and its licence into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in SCRIPTS.items():
        with tempfile.TemporaryDirectory() as download:
            subprocess.run(
                ["npm", "pack", "--silent", script.package],
                cwd=download,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            (packed,) = Path(download).glob("*.tgz")
            with tarfile.open(packed) as archive:
                content, licence = (_member(archive, path) for path in (script.path, "LICENSE"))
        if hashlib.sha256(content).hexdigest() != script.sha256:
            raise SystemExit(
                f"getting {script.package}: {script.path} has another SHA-256 than tools/docs/site_scripts.py"
            )
        (folder / f"{name}.js").write_bytes(content)
        (folder / f"{name}.LICENSE.txt").write_bytes(licence)


def _member(archive: tarfile.TarFile, path: str) -> bytes:
    file = archive.extractfile(f"package/{path}")
    assert file, f"{path} is a file"
    return file.read()


def with_local_scripts(page: str) -> str:
    """The page with the scripts of the site instead of those of unpkg.com."""
    bundle = _BUNDLE.search(page)
    if not bundle:
        return page
    local = f"{bundle[1]}{_IN_SITE}"
    if 'class="mermaid"' in page:
        # Material does not load Mermaid if a page has loaded it.
        mermaid = f'<script src="{local}/mermaid.js"></script>\n      {_KEEP_SIZE}\n      '
        page = page.replace(bundle[0], mermaid + bundle[0])
    return page.replace(f'"{_SHIM}"', f'"{local}/iframe-worker.js"')


def add_to(site: Path, scripts: Path) -> bool:
    """Copies the scripts into the site, whose pages then use them. False if the machine has none."""
    if not all((scripts / f"{name}.js").exists() for name in SCRIPTS):
        return False
    shutil.copytree(scripts, site / _IN_SITE)
    for file in site.rglob("*.html"):
        file.write_text(with_local_scripts(file.read_text()))
    return True


if __name__ == "__main__":
    if shutil.which("npm"):
        install(Path(sys.argv[1]))
    else:
        print("npm is not installed: the site loads Mermaid from unpkg.com", file=sys.stderr)
