"""Make docs/images/run.svg from a real run of examples/digits: `python tools/screenshot.py`.

The commands run in a copy of the example, on a terminal of their own; what they drew there is kept
as a picture of text. Needs the environment of `make demo`.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "run.svg"
WIDTH = 100

# What a live picture sends before it draws itself again: up, and erase, line by line.
_AGAIN = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
_CURSOR = re.compile(r"\x1b\[\?25[lh]")
_FONTS = "Fira Code, Menlo, Consolas, DejaVu Sans Mono, monospace"
_THEME = TerminalTheme(
    (250, 250, 248),
    (46, 52, 54),
    [(46, 52, 54), (190, 30, 45), (40, 120, 40), (160, 105, 0),
     (35, 85, 160), (130, 60, 140), (0, 115, 130), (110, 110, 105)],
)  # fmt: skip


def screen_of(project: Path, *arguments: str) -> str:
    """Run the program on a terminal; return what stands there when it has ended."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "mainspring", *arguments],
        cwd=project, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    ) as process:  # fmt: skip
        os.close(terminal)
        data = b"".join(iter(lambda: _read(controller), b""))
    os.close(controller)
    if process.returncode != 0:
        sys.exit(data.decode() + f"mainspring {' '.join(arguments)} failed")
    return _last_frame(_CURSOR.sub("", data.decode().replace("\r\n", "\n")))


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # the other end is closed
        return b""


def _last_frame(text: str) -> str:
    """Leave out what was drawn over: everything between the first frame's start and the last."""
    frames = _AGAIN.split(text)
    if len(frames) == 1:
        return text
    headline = frames[0].partition("\n")[0]  # what stands above that which is drawn again
    return f"{headline}\n{frames[-1]}"


def _self_contained(svg: str) -> str:
    """Leave out fonts that would be fetched from elsewhere; keep spaces as they are."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", f"font-family: {_FONTS}")
    svg = svg.replace(
        '<svg class="rich-terminal"', '<svg class="rich-terminal" xml:space="preserve"'
    )
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def main() -> None:
    """Draw the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch, "digits")
        shutil.copytree(ROOT / "examples" / "digits", project)

        def show(*arguments: str) -> None:
            console.print(
                Text.assemble(("$ ", "dim"), ("mainspring " + " ".join(arguments), "bold"))
            )
            console.print(Text.from_ansi(screen_of(project, *arguments).rstrip("\n")))
            console.print()

        show("run")
        steps = project / "steps.py"
        steps.write_text(
            steps.read_text("utf-8").replace("max_iter=1000", "max_iter=2000"), "utf-8"
        )
        console.print(Text("# an edit in steps.py: max_iter=1000 becomes 2000", "dim"))
        show("plan")
        show("run")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="mainspring", theme=_THEME, unique_id="run")
    PICTURE.write_text(_self_contained(svg), "utf-8")
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
