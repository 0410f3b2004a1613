"""The picture of bench/plot.py."""

import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import plot  # noqa: E402


def test_bars_have_one_scale_and_ours_comes_first():
    picture = ElementTree.fromstring(plot.svg({"time & memory": {"crhelper": 4.0, "node": 0.001}, "start": {"crhelper": 2.0}}))
    bars = [rect for rect in picture.iter("{http://www.w3.org/2000/svg}rect") if "x" in rect.attrib]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert len(bars) == 5 and widths[0] == widths[3]
    assert abs(widths[1] - 4 * widths[0]) < 0.2 and abs(widths[4] - 2 * widths[0]) < 0.2
    assert widths[2] == 1, "a bar is visible"
    right = max(float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars)
    assert right < float(picture.attrib["viewBox"].split()[2])
