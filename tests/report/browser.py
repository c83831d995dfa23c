#!/usr/bin/env python3
"""Opens reports in a browser, wide and narrow, light and dark, and uses what can be clicked.

    python tests/report/browser.py results/quickstart/report.html [...] [--pictures FOLDER]

Holds that nothing is asked for, nothing overlaps or sticks out, no console has anything to say, sorting,
filtering and clicking do what they say, and nothing is missing without scripts. Needs a Chromium on the PATH and
nothing else; says "skipped" and exits with 0 where there is none. With --pictures, screenshots of the whole
pages and what a printer would get are written into the folder.
"""

import sys
import time
from pathlib import Path

from chromium import Chromium, found

# Elements beside each other whose boxes overlap, and text of charts that overlaps other text or is cut off.
OVERLAPS = """(() => {
    const words = (element) => `<${element.tagName.toLowerCase()}> ${element.textContent.trim().slice(0, 40)}`;
    const wrong = [];
    const isBox = (element) => {
        const style = getComputedStyle(element);
        const isFlow = style.position === "static" || style.position === "relative";
        return isFlow && style.display !== "inline" && style.display !== "none" && !element.closest("svg")
            && style.display !== "contents" && element.getClientRects().length > 0;
    };
    let seen = 0;
    for (const parent of document.querySelectorAll("body, header, main, main *, nav, dl")) {
        if (parent.closest("svg") || ++seen > 20000) continue;
        const boxes = [...parent.children].filter(isBox).slice(0, 400);
        const places = boxes.map((box) => box.getBoundingClientRect());
        for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < Math.min(i + 8, boxes.length); j++) {
            const [a, b] = [places[i], places[j]];
            const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (x > 1 && y > 1) wrong.push(`${words(boxes[i])} overlaps ${words(boxes[j])} by ${x.toFixed(0)}×${y.toFixed(0)}`);
        }
    }
    const axes = (box) => [0, 1].map((k) => {
        const [dx, dy] = [box[k + 1][0] - box[k][0], box[k + 1][1] - box[k][1]];
        const length = Math.hypot(dx, dy) || 1;
        return [-dy / length, dx / length];
    });
    const span = (box, [x, y]) => {
        const places = box.map((corner) => corner[0] * x + corner[1] * y);
        return [Math.min(...places), Math.max(...places)];
    };
    // By how many pixels two turned boxes overlap.
    const depth = (a, b) => Math.min(...[...axes(a), ...axes(b)].map((axis) => {
        const [[from, to], [start, end]] = [span(a, axis), span(b, axis)];
        return Math.min(to, end) - Math.max(from, start);
    }));
    for (const chart of document.querySelectorAll("svg.chart")) {
        if (chart.getClientRects().length === 0) continue;
        const frame = chart.getBoundingClientRect();
        const said = (text) => [...text.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("");
        const texts = [...chart.querySelectorAll("text")].filter((text) => said(text).trim());
        const boxes = texts.map((text) => {
            const box = text.getBBox();
            const matrix = text.getScreenCTM();
            // Letters fill the middle of their line.
            const [top, bottom] = [box.y + 0.2 * box.height, box.y + 0.8 * box.height];
            const corners = [[box.x, top], [box.x + box.width, top], [box.x + box.width, bottom], [box.x, bottom]];
            return corners.map(([x, y]) => { const p = new DOMPoint(x, y).matrixTransform(matrix); return [p.x, p.y]; });
        });
        boxes.forEach((box, i) => {
            const out = Math.max(...box.map(([x, y]) => Math.max(frame.left - x, x - frame.right, frame.top - y, y - frame.bottom)));
            if (out > 1) wrong.push(`${chart.ariaLabel}: "${said(texts[i])}" sticks out by ${out.toFixed(1)}`);
            for (let j = i + 1; j < boxes.length; j++) {
                const by = depth(box, boxes[j]);
                if (by > 1) wrong.push(`${chart.ariaLabel}: "${said(texts[i])}" overlaps "${said(texts[j])}" by ${by.toFixed(1)}`);
            }
        });
    }
    return wrong.slice(0, 40);
})()"""

# Of several rankings the first one.
ROWS = '[...document.querySelector("#ranking table").tBodies[0].rows].filter((row) => !row.hidden)'
CARDS = '[...document.querySelectorAll("#mistakes .mistakes li")].filter((card) => !card.hidden)'


def ranks(page):
    return page.run(f"{ROWS}.map((row) => Number(row.cells[0].dataset.value ?? row.cells[0].textContent))")


def use(page):
    """Sorts, filters and clicks on a cell of the confusion matrix; returns what it found to use."""
    used = []
    head = 'document.querySelector("#ranking th.number button")'
    rows = page.run(f"{ROWS}.length")
    if page.run(f"Boolean({head})"):
        page.click(head)
        assert ranks(page) == sorted(ranks(page)), f"sorted upwards: {ranks(page)[:20]}"
        page.click(head)
        assert ranks(page) == sorted(ranks(page), reverse=True), f"sorted downwards: {ranks(page)[:20]}"
        page.click(head)
        used.append("sorted")
    box = 'document.querySelector("#ranking input.filter")'
    if page.run(f"Boolean({box})"):
        word = page.run(f"{ROWS}[0].cells[1].textContent")
        page.click(box)
        page.type(word)
        left = page.run(f"{ROWS}.map((row) => row.textContent)")
        parts = word.lower().split()
        assert left and all(part in text.lower() for text in left for part in parts), f"rows without {word}"
        page.type(" no row holds this")
        assert page.run(f"{ROWS}.length") == 0, "rows are left"
        page.run(f'{box}.value = ""; {box}.dispatchEvent(new Event("input"))')
        assert page.run(f"{ROWS}.length") == rows, "rows did not come back"
        used.append("filtered")
    first = page.run('document.querySelector("#mistakes .mistakes li")?.dataset.cell')
    if first:
        # Of large matrices, the page does not have the images of every cell.
        cell = f"document.querySelector('#confusion rect[data-cell=\"{first}\"]')"
        all_cards = page.run(f"{CARDS}.length")
        shown = f"{CARDS}.map((card) => card.dataset.cell)"
        page.click(cell)
        assert set(page.run(shown)) == {first}, f"cell {first} shows {set(page.run(shown))}"
        more = page.run("""[...document.querySelectorAll("#mistakes details:not([hidden])")].every((more) =>
            more.querySelector("summary").textContent === `${more.querySelectorAll("li:not([hidden])").length} more`)""")
        assert more, "the page says another number of mistakes than it shows"
        page.click('document.querySelector("a.all")')
        assert page.run(f"{CARDS}.length") == all_cards, "not all are shown again"
        page.run(f"{cell}.focus()")
        page.press("Enter", 13)
        assert set(page.run(shown)) == {first}, "the key did nothing"
        page.press("Enter", 13)
        assert page.run(f"{CARDS}.length") == all_cards, "the key did not show all again"
        used.append("clicked")
    if page.run("Boolean(document.querySelector('#effects .brush'))"):
        out = "document.querySelectorAll('#effects [data-line].out').length"
        lines = page.run("document.querySelectorAll('#effects [data-line]').length")
        brush = "[...document.querySelectorAll('#effects .brush')].at(-1)"
        # The last axis is what settings came to: its upper end holds the best one, and not all.
        page.drag(brush, 0.0, 0.3)
        assert 0 < page.run(out) < lines, f"{page.run(out)} of {lines} lines are out"
        page.click(brush)
        assert page.run(out) == 0, "lines stay out"
        used.append("brushed")
    return used


def visit(browser, report, pictures):
    url = report.resolve().as_uri()
    called = report.stem if report.stem != "report" else report.resolve().parent.name
    wrong, used = [], []
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page = browser.page(width, scheme)
            page.open(url)
            where = f"{called}, {scheme}, {width} pixels"
            wide = page.run("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{where}: the page is {wide} pixels wide")
            if pictures:
                page.picture(pictures / f"{called}-{scheme}-{width}.png")
            page.run('document.querySelectorAll("details").forEach((more) => { more.open = true; })')
            wrong += [f"{where}: {words}" for words in page.run(OVERLAPS)]
            page.run('document.querySelectorAll("details").forEach((more) => { more.open = false; })')
            try:
                used = use(page)
            except AssertionError as error:
                wrong.append(f"{where}: {error}")
            if page.asked() != [url]:
                wrong.append(f"{where}: asked for {page.asked()}")
            if page.said():
                wrong.append(f"{where}: the console says {page.said()}")
            if pictures and (scheme, width) == ("light", 1280):
                page.printed(pictures / f"{called}.pdf")
            page.close()
    page = browser.page(1280, scripts=False)
    page.open(url)
    if page.run('document.querySelectorAll("main > section, #ranking tbody tr").length') < 2:
        wrong.append(f"{called}: sections are missing without scripts")
    if page.run('[...document.querySelectorAll(".scripted")].filter((it) => it.getClientRects().length).length'):
        wrong.append(f"{called}: without scripts it speaks of what only scripts do")
    page.close()
    return wrong, used


def main():
    arguments = sys.argv[1:]
    pictures = None
    if "--pictures" in arguments:
        place = arguments.index("--pictures")
        pictures = Path(arguments[place + 1])
        pictures.mkdir(parents=True, exist_ok=True)
        del arguments[place : place + 2]
    if not arguments:
        sys.exit(__doc__)
    if not found():
        print("skipped: there is no Chromium")
        return
    failed = False
    with Chromium() as browser:
        for report in map(Path, arguments):
            begun = time.monotonic()
            wrong, used = visit(browser, report, pictures)
            failed |= bool(wrong)
            for words in wrong:
                print(f"WRONG  {words}")
            state = f"{len(wrong)} wrong" if wrong else "all is well"
            spent = time.monotonic() - begun
            print(f"{report}: wide and narrow, light and dark, {', '.join(used) or 'nothing to click'}: {state} ({spent:.1f} s)")
    sys.exit(failed)


if __name__ == "__main__":
    main()
