# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.portal_pictures [--out FOLDER]`: the README's pictures of a resident's page, from real Chromium.

The page comes from the portal on the MicroPython VM, with a box in memory instead of a radio. Needs Chromium
(apt-get install chromium).
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.portal.box_process import BoxProcess, image

CHROMIUM = Path("/usr/bin/chromium")
PHONE = {"width": 360, "height": 740}
CALL = {
    "text": "Rauch im Treppenhaus, wir können nicht hinaus",
    "place": "Müggelheimer Straße 5, 3. Stock",
    "people": "3",
    "category": "2",
}
ANSWER = "Die Feuerwehr ist unterwegs. Bleiben Sie am Fenster."


def main() -> int:
    """Exit status 0 when all pictures were written."""
    parser = argparse.ArgumentParser(prog="python -m tools.portal_pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder (default: docs/pictures)")
    out = parser.parse_args().out
    if not CHROMIUM.exists():
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        with BoxProcess(image(Path(folder))) as box:
            _pictures(browser, box, out)
        browser.close()
    return 0


def _pictures(browser: Browser, box: BoxProcess, out: Path) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    box.tell("pack")
    _save(page, box, "/de/", out / "portal-emergency.png")
    _save(page, box, "/ar/", out / "portal-arabic.png")
    code = box.call(**CALL).code
    for station in ("", "Leitstelle Köpenick", ""):
        box.tell(f"advance {code} {station}")
    box.tell(f"answer {code} {ANSWER}")
    page.goto(f"http://127.0.0.1:{box.port}/de/status")
    page.locator("#code").fill(code)
    page.keyboard.press("Enter")
    page.locator(".f").wait_for()
    page.screenshot(path=out / "portal-stages.png")
    box.tell("mode everyday")
    _save(page, box, "/de/", out / "portal-everyday.png")
    context.close()


def _save(page: Page, box: BoxProcess, path: str, picture: Path) -> None:
    page.goto(f"http://127.0.0.1:{box.port}{path}")
    page.screenshot(path=picture)
    print(f"{picture}  {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
