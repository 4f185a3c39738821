from __future__ import annotations

from xml.etree import ElementTree

from mainspring.interactive.drawing import COLORS, Arrow, Shape, draw

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script>&\"\x1b[31m"


def test_every_text_is_escaped() -> None:
    found = draw(HOSTILE, [Shape(HOSTILE, "step", "failed", HOSTILE)], [])
    assert "<script" not in found
    assert "\x1b" not in found
    ElementTree.fromstring(found)


def test_it_says_what_it_shows() -> None:
    shapes = [
        Shape("load", status="succeeded"),
        Shape("prep/clean", "map"),
        Shape("ok", "checkpoint"),
    ]
    arrows = [Arrow("load", "prep/clean"), Arrow("prep/clean", "ok", guard=True)]
    root = ElementTree.fromstring(draw("pipeline digits", shapes, arrows))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "pipeline digits"
    said = root.findtext(f"{SVG}desc")
    assert said == "load (succeeded); prep/clean after load; ok after prep/clean"
    tips = [group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g")]
    assert tips == ["load (step, succeeded)", "prep/clean (map)", "ok (checkpoint)"]
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts == ["prep", "✓", "load", "× clean", "◆ ok"]


def test_states_have_signs_beside_colors() -> None:
    found = draw("x", [Shape("a", status="failed")], [])
    assert "✗" in found
    assert COLORS["red"] in found


def test_the_same_graph_is_the_same_picture() -> None:
    shapes = [Shape(f"step_{n}") for n in range(50)]
    arrows = [Arrow(f"step_{n // 2}", f"step_{n}") for n in range(1, 50)]
    assert draw("x", shapes, arrows) == draw("x", shapes, arrows)
    assert len(draw("x", shapes, arrows)) < 60_000


def contrast(color: str, page: str) -> float:
    """The contrast ratio of WCAG 2.1."""

    def luminance(text: str) -> float:
        parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(color), luminance(page)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colors_stand_out_on_dark_and_light_pages() -> None:
    for color in COLORS.values():
        for page in ("#ffffff", "#111111", "#1e1e1e"):
            assert contrast(color, page) >= 3.0, (color, page)
