"""The page in a real browser: no console message, no missing image, nothing sticks out."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Chromium's window is at least 500 pixels wide: the page is looked at in a frame of a given width,
# and reports what it found to the page around it.
PROBE = """
<script>
window.addEventListener('load', () => {
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  const images = [...document.images];
  const hidden = e => e.closest('thead') && e.closest('thead').offsetWidth <= 1;  // on a phone
  const beyond = e => e.getBoundingClientRect().right > window.innerWidth + 1 && !hidden(e);
  parent.postMessage(JSON.stringify({
    width: window.innerWidth,
    images: images.length,
    broken: images.filter(i => !i.complete || i.naturalWidth === 0).map(i => i.alt),
    shown: images.filter(i => i.getBoundingClientRect().width > 200).length,
    wide: [...document.querySelectorAll('body *')].filter(beyond).map(e => e.tagName),
    scroll: document.documentElement.scrollWidth,
  }), '*');
});
</script>
"""
FRAME = """<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">
<script>
window.addEventListener('message', event => {
  const answer = document.createElement('pre');
  answer.textContent = event.data;
  document.body.append(answer);
});
</script>
<body><iframe src="probed.html" style="width: %dpx; height: 900px; border: 0"></iframe>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium is installed")


def look(browser: str, page: Path, width: int, profile: Path, *options: str) -> tuple[str, str]:
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--force-device-scale-factor=1", f"--user-data-dir={profile}",
        f"--window-size={width},1000", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def probe(browser: str, text: str, width: int, folder: Path) -> tuple[dict, str]:
    """Return what the page's probe found in a frame of ``width`` pixels, and the browser's log."""
    probed, frame = folder / "probed.html", folder / "frame.html"
    probed.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    frame.write_text(FRAME % width, encoding="utf-8")
    dom, log = look(browser, frame, width + 200, folder / "profile", "--dump-dom")
    return json.loads(unescape(dom.split("<pre>")[1].split("</pre>")[0])), log


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1400])
def test_renders_without_errors(browser, page, tmp_path, width):
    screenshot = tmp_path / "page.png"
    _, log = look(browser, page, width, tmp_path / "profile", f"--screenshot={screenshot}")
    assert "CONSOLE" not in log
    assert screenshot.stat().st_size > 10_000

    found, log = probe(browser, page.read_text(encoding="utf-8"), width, tmp_path)
    assert "CONSOLE" not in log
    assert found["width"] == width
    assert found["broken"] == []
    assert found["images"] == found["shown"] > 10
    assert found["wide"] == []
    assert found["scroll"] <= width


@pytest.mark.slow
def test_the_probe_sees_what_is_wrong(browser, tmp_path):
    found, log = probe(
        browser,
        '<body><img src="nowhere.png" alt="gone"><div style="width: 900px">wide</div>'
        "<script>nothing.at.all;</script></body>",
        400,
        tmp_path,
    )
    assert "CONSOLE" in log
    assert found["broken"] == ["gone"]
    assert found["wide"] == ["DIV"]
    assert found["scroll"] > 400
