#!/usr/bin/env python3
"""Opens report.html in a browser, wide and narrow, light and dark, and uses what can be clicked.

    python tests/report/browser.py results/quickstart/report.html [SCREENSHOTS]

Needs playwright and a Chromium (its own, or the system's); says so and exits with 0 where there is none.
With a second argument, writes screenshots of the whole page into that folder.
"""

import shutil
import sys
from pathlib import Path

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    print("skipped: playwright is not installed")
    sys.exit(0)


def launch(playwright):
    system = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        return playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
    except Exception as error:
        print(f"skipped: no browser starts: {str(error).splitlines()[0]}")
        sys.exit(0)


def column(page, index):
    cells = page.locator(f"#ranking tbody tr:visible td:nth-child({index})")
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.value ?? cell.textContent)")


def use(page):
    """Sorts, filters and clicks on a cell of the confusion matrix."""
    head = page.locator("#ranking th.number button").first
    rows = page.locator("#ranking tbody tr:visible").count()
    head.click()
    ranks = [int(rank) for rank in column(page, 1)]
    assert ranks == sorted(ranks), f"sorted upwards: {ranks}"
    head.click()
    ranks = [int(rank) for rank in column(page, 1)]
    assert ranks == sorted(ranks, reverse=True), f"sorted downwards: {ranks}"
    filters = page.locator("#ranking input.filter")
    if filters.count():
        word = page.locator("#ranking tbody tr td:nth-child(2)").first.inner_text()
        filters.fill(word)
        left = page.locator("#ranking tbody tr:visible")
        assert all(word in text for text in left.all_inner_texts()), "filtered rows hold the word"
        filters.fill("no row holds this")
        assert left.count() == 0, "nothing is left"
        filters.fill("")
        assert left.count() == rows, "everything is back"
    wrong = page.locator("#confusion rect.wrong")
    if wrong.count() and page.locator(".mistakes li").count():
        # Of large matrices, the page does not have the images of every cell.
        first = page.locator(".mistakes li").first.get_attribute("data-cell")
        cell = page.locator(f'#confusion rect[data-cell="{first}"]')
        cell.click()
        cards = page.locator(".mistakes li:visible")
        wanted = cell.get_attribute("data-cell")
        shown = cards.evaluate_all("cards => cards.map(card => card.dataset.cell)")
        assert shown and set(shown) == {wanted}, f"cell {wanted} shows {shown}"
        page.locator("a.all").click()
        assert cards.count() > len(shown), "all are shown again"
        cell.focus()
        page.keyboard.press("Enter")
        assert set(cards.evaluate_all("cards => cards.map(card => card.dataset.cell)")) == {wanted}
        page.keyboard.press("Enter")


def main():
    report = Path(sys.argv[1]).resolve()
    pictures = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                said, asked = [], []
                page.on("console", lambda message: said.append(message.text))
                page.on("pageerror", lambda error: said.append(str(error)))
                page.on("request", lambda request: asked.append(request.url))
                page.goto(report.as_uri())
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"the page is {wide} pixels wide in a window of {width}"
                if pictures:
                    pictures.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=pictures / f"{scheme}-{width}.png", full_page=True)
                use(page)
                asked = [url for url in asked if not url.startswith("data:")]
                assert asked == [report.as_uri()], f"asked for {asked}"
                assert not said, f"the console says {said}"
                context.close()
        # Without scripts nothing is missing.
        context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(report.as_uri())
        assert page.locator("#ranking tbody tr").count() > 0
        assert page.locator(".scripted:visible").count() == 0, "words about what only scripts do"
        browser.close()
    print(f"{report.name}: wide and narrow, light and dark, sorted, filtered, clicked: all is well")


main()
