"""The figures of tools/bench/plot.py."""

from xml.etree import ElementTree

from tools.bench import plot

_SVG = "{http://www.w3.org/2000/svg}"


def _drawn(values):
    picture = ElementTree.fromstring(plot.svg("Time & memory", "TLS, 0 ms", "ms", values))
    bars = [rect for rect in picture.iter(f"{_SVG}rect") if "x" in rect.attrib]
    texts = [text.text for text in picture.iter(f"{_SVG}text")]
    return bars, picture.find(f"{_SVG}line"), texts, float(picture.attrib["viewBox"].split()[2])


def test_bars_have_one_scale_and_ours_comes_first():
    bars, _, texts, width = _drawn({"crhelper": 40.0, "floor": 0.001, "cfn-gitops": 10.0})
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert texts.index("cfn-gitops") < texts.index("crhelper") < texts.index("floor")
    assert abs(widths[1] - 4 * widths[0]) < 0.2
    assert widths[2] == 1, "a bar is visible"
    assert max(float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars) < width
    assert {"10.0 ms, 1×", "40.0 ms, 4×"} <= set(texts)


def test_line_is_at_our_value_also_if_others_are_lower():
    for other in (400.0, 4.0):
        bars, line, texts, _ = _drawn({"cfn-gitops": 10.0, "crhelper": other})
        end = float(bars[0].attrib["x"]) + float(bars[0].attrib["width"])
        assert abs(float(line.attrib["x1"]) - end) < 0.2 and line.attrib["x1"] == line.attrib["x2"]
        assert "1×" in texts and any("Lower is better" in text for text in texts)
