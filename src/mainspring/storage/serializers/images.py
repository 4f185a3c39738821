"""The formats "image" and "figure": pictures as PNG, without compression that differs by build."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten

_MODES = frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
_KEPT = ("transparency", "icc_profile")


class Image:
    """A PIL image: pixels, mode, palette, transparency and colour profile; no other metadata."""

    name = "image"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the picture; a mode that PNG would change is refused."""
        image: Any = value
        if image.mode not in _MODES:
            raise Unsupported(
                f"PNG has no exact form for an image of mode {image.mode}",
                hint='convert it, image.convert("RGB"), or return numpy.asarray(image)',
            )
        if 0 in image.size:
            raise Unsupported("it has no pixels")
        plain = image.copy()
        plain.info = {key: image.info[key] for key in _KEPT if key in image.info}
        out = io.BytesIO()
        plain.save(out, "PNG", compress_level=0)
        sink.write(out.getbuffer())

    def load(self, source: Source) -> object:
        """Read the picture, all of it."""
        pil: Any = import_module("PIL.Image")
        try:
            with pil.open(io.BytesIO(source.read()), formats=["PNG"]) as image:
                image.load()
                made = image.copy()
        except Exception as error:  # the decoder raises whatever the content leads to
            raise damaged(f"it is not a PNG image ({error})") from error
        made.info = {key: image.info[key] for key in _KEPT if key in image.info}
        return made

    def preview(self, source: Source, limit: int) -> str:
        """Size and mode."""
        image: Any = self.load(source)
        width, height = image.size
        return shorten(f"image, {width} x {height} pixels, mode {image.mode}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class Figure(Image):
    """A matplotlib figure as the picture that it shows; it is read as a PIL image."""

    name = "figure"

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Draw the figure. Neither date nor version is in it."""
        agg: Any = import_module("matplotlib.backends.backend_agg")
        figure: Any = value
        canvas, out = figure.canvas, io.BytesIO()
        try:
            metadata = {"Software": None}
            options = {"compress_level": 0}
            agg.FigureCanvasAgg(figure).print_png(out, metadata=metadata, pil_kwargs=options)
        finally:
            figure.set_canvas(canvas)
        sink.write(out.getbuffer())
