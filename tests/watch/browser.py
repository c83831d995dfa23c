#!/usr/bin/env python3
"""Opens the page of `wick watch` in a browser while a sweep runs, wide and narrow, light and dark.

    python tests/watch/browser.py WICK [--pictures FOLDER]

Starts WICK for a folder that is not there yet, runs a sweep into it with a trial that fails, and holds that the page
fills by itself, curves grow, filters, sorting and buttons do what they say by mouse and keyboard, the report opens, names
with markup are text, no request leaves the machine, and no console has anything to say. Needs a Chromium on the PATH;
says "skipped" and exits with 0 where there is none. With --pictures, screenshots are written into the folder.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "report"))
import samples  # noqa: E402
from browser import OVERLAPS  # noqa: E402
from chromium import Chromium, found  # noqa: E402

EXPERIMENT = """
name = "watched"
description = "Does dropout help a small network on 8×8 digits, and at which learning rate? <script>alert(1)</script>"
seed = 7

[data]
source = "digits"
image = { size = [16, 16], channels = 1 }
test = 0.2
validation = 0.2
batch-size = 32

[augment]
train = [{ rotate = 15, p = 0.5 }]

[model]
layers = [{ conv = 16, kernel = 3, padding = 1 }, { max-pool = 2 }, { conv = 32, kernel = 3, padding = 1 }, "flatten", { dense = 64 }, { dense = "classes" }]

[train]
epochs = 14
optimizer = { sgd = { lr = 0.05, momentum = 0.9 } }

[sweep.grid]
"model.defaults.dropout" = [0.0, 0.2, 0.5]
"train.optimizer.sgd.lr" = [0.003, 0.03, 1e9]
"""

ROWS = '[...document.querySelectorAll("#trials tbody tr")]'
POINTS = """[...document.querySelectorAll("#curves figure polyline")]
    .reduce((sum, line) => sum + line.getAttribute("points").split(" ").length, 0)"""

# Whether the first picture is loaded; a tab that nobody sees loads none by itself.
PICTURE = """(() => {
    const image = document.querySelector("#album img");
    if (image) image.loading = "eager";
    return image?.naturalWidth > 0;
})()"""


@contextmanager
def watching(wick, folder):
    """The address of the page of a folder."""
    command = [wick, "watch", folder, "--address", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(10)
    assert code == 130, f"wick watch ended with {code}"


def until(what, condition, seconds=60):
    """Waits for a condition; the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"after {seconds} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - begun


def check_page(page, where, address, wrong):
    """What has to hold at any time."""
    page.run('window.scrollTo({ top: 0, behavior: "instant" })')
    wide = page.run("document.documentElement.scrollWidth")
    if wide > page.width:
        wrong.append(f"{where}: the page is {wide} pixels wide")
    wrong += [f"{where}: {words}" for words in page.run(OVERLAPS)]
    strange = [url for url in page.asked() if not url.startswith(address)]
    if strange:
        wrong.append(f"{where}: asked for {strange}")
    if page.said():
        wrong.append(f"{where}: the console says {page.said()}")
    if page.run('document.querySelectorAll("main script, main b, h1 b").length'):
        wrong.append(f"{where}: a name has become markup")


def numbers(page):
    return page.run(f"{ROWS}.map((row) => Number(row.cells[0].textContent))")


def use(page):
    """Filters, sorts and chooses, by mouse and keyboard."""
    all_rows = numbers(page)
    page.click('document.getElementById("words")')
    page.type("dropout = 0.5")
    rows = page.run(f"{ROWS}.map((row) => row.cells[1].textContent)")
    assert rows and set(rows) == {"0.5"}, f"the filter left {rows}"
    page.type(" no trial holds this")
    assert numbers(page) == [], "rows are left"
    page.run('(() => { const box = document.getElementById("words"); box.value = ""; box.dispatchEvent(new Event("input")); })()')
    assert numbers(page) == all_rows, "rows did not come back"
    page.run('(() => { const box = document.getElementById("wanted"); box.value = "2"; box.dispatchEvent(new Event("change")); })()')
    states = page.run(f'{ROWS}.map((row) => row.querySelector("td.state").textContent)')
    assert states and set(states) == {"failed"}, f"the state's filter left {states}"
    page.run('(() => { const box = document.getElementById("wanted"); box.value = ""; box.dispatchEvent(new Event("change")); })()')
    page.click('document.querySelector(\'#states [data-state="0"]\')')
    states = page.run(f'{ROWS}.map((row) => row.querySelector("td.state").textContent)')
    assert set(states) == {"completed"}, f"the button of completed trials left {states}"
    page.run('(() => { const box = document.getElementById("wanted"); box.value = ""; box.dispatchEvent(new Event("change")); })()')
    head = 'document.querySelector("#trials th button")'
    page.run(f"{head}.focus()")
    # Buttons hear a key that writes something.
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    page.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
    page.call("Input.dispatchKeyEvent", type="keyUp", **key)
    assert numbers(page) == sorted(all_rows, reverse=True), f"sorted by keyboard: {numbers(page)}"
    page.click(head)
    assert numbers(page) == sorted(all_rows), f"sorted by mouse: {numbers(page)}"
    legend = '[...document.querySelectorAll("#legend li")].map((item) => item.textContent)'
    page.click('[...document.querySelectorAll("#trials td button")].at(-2)')
    chosen = page.run(legend)
    assert chosen[0].startswith(f"trial {all_rows[-2]} ("), f"the legend says {chosen}"
    assert page.run('document.querySelectorAll("#curves figure:not(.empty) .curve").length') >= 4, "no curve of the chosen trial"
    page.click('document.getElementById("unpin")')
    assert len(page.run(legend)) > 2, "the usual curves did not come back"


def visit(browser, wick, pictures):
    folder = Path(tempfile.mkdtemp(prefix="watch-"))
    wrong = []
    experiment = folder / "experiment.toml"
    experiment.write_text(EXPERIMENT)
    run = None
    results = folder / "results" / "watched"

    def picture(page, called):
        if pictures:
            page.picture(pictures / f"{called}.png")

    try:
        with watching(wick, results) as address:
            page = browser.page(1280)
            page.open(address)
            until("the page waits", lambda: "no results" in page.run('document.getElementById("notice").textContent'))
            picture(page, "waiting-light-1280")
            command = [wick, "run", experiment, "--results", folder / "results", "--workers", "2", "--threads", "1"]
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            until("rows", lambda: len(numbers(page)) == 9)
            until("curves", lambda: page.run(POINTS) > 0)
            before = page.run(POINTS)
            grown = until("curves grow", lambda: page.run(POINTS) > before)
            others = {}
            for scheme, width in (("dark", 1280), ("light", 390), ("dark", 390)):
                others[scheme, width] = browser.page(width, scheme)
                others[scheme, width].open(address)
            until("a trial completed", lambda: page.run('document.querySelectorAll("#trials td.state-0").length') > 1)
            for (scheme, width), other in {("light", 1280): page, **others}.items():
                other.call("Page.bringToFront")
                until("rows", lambda: len(numbers(other)) == 9)
                until("curves", lambda: other.run(POINTS) > 0)
                check_page(other, f"running, {scheme}, {width} pixels", address, wrong)
                picture(other, f"running-{scheme}-{width}")
            run.wait(240)
            sheet = [wick, "augment", experiment, "--out", results / "sheet.png"]
            subprocess.run(sheet, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for (scheme, width), other in {("light", 1280): page, **others}.items():
                where = f"ended, {scheme}, {width} pixels"
                # A tab in the background answers no mouse.
                other.call("Page.bringToFront")
                until("all ended", lambda: other.run('document.getElementById("summary").textContent').startswith("All 9"))
                until("a picture", lambda: other.run(PICTURE))
                until("the report", lambda: not other.run('document.getElementById("to-report").hidden'))
                check_page(other, where, address, wrong)
                try:
                    use(other)
                except AssertionError as error:
                    wrong.append(f"{where}: {error}")
                check_page(other, where, address, wrong)
                picture(other, f"ended-{scheme}-{width}")
                other.close()
            report = browser.page(1280)
            report.open(address + "report")
            if report.run('document.querySelectorAll("main > section").length') < 3:
                wrong.append("the report is not there")
            # Its script works: it makes buttons of the heads of tables.
            if not report.run('document.querySelectorAll("th button").length'):
                wrong.append("the report's script does not run")
            strange = [url for url in report.asked() if url != address + "report"]
            if strange or report.said():
                wrong.append(f"the report asks for {strange}, and its console says {report.said()}")
            report.close()
            still = browser.page(1280, scripts=False)
            still.open(address)
            if "needs its script" not in still.run('document.body.innerText'):
                wrong.append("without scripts nothing is said")
            still.close()
        wrong += hostile(browser, wick, folder / "hostile")
        return wrong, grown
    finally:
        if run and run.poll() is None:
            run.terminate()
            run.wait(60)
        shutil.rmtree(folder)


def hostile(browser, wick, folder):
    """What is wrong with the page of a folder whose names are markup, scripts and paths."""
    wrong = []
    evil = [samples.SCRIPT, samples.QUOTES, "x" * 300]
    samples.write(folder, {"data.<b>path</b>": evil, "model.norm": ["none", "batch"]}, 2, name=samples.SCRIPT, description=samples.QUOTES)
    (folder / "<img src=x onerror=alert(1)>.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
    with watching(wick, folder) as address:
        for width in (1280, 390):
            page = browser.page(width)
            page.open(address)
            until("rows", lambda: len(numbers(page)) == 12)
            until("curves", lambda: page.run(POINTS) > 0)
            check_page(page, f"hostile names, {width} pixels", address, wrong)
            if page.run('document.getElementById("name").textContent') != samples.SCRIPT:
                wrong.append("the name is not shown as it is")
            if page.run('document.querySelectorAll("#album img").length') != 1:
                wrong.append("the picture with a hostile name is not shown")
            page.close()
    return wrong


def main():
    arguments = sys.argv[1:]
    pictures = None
    if "--pictures" in arguments:
        place = arguments.index("--pictures")
        pictures = Path(arguments[place + 1])
        pictures.mkdir(parents=True, exist_ok=True)
        del arguments[place : place + 2]
    if len(arguments) != 1:
        sys.exit(__doc__)
    if not found():
        print("skipped: there is no Chromium")
        return
    begun = time.monotonic()
    with Chromium() as browser:
        wrong, grown = visit(browser, Path(arguments[0]).resolve(), pictures)
    for words in wrong:
        print(f"WRONG  {words}")
    state = f"{len(wrong)} wrong" if wrong else "all is well"
    print(f"the live page, wide and narrow, light and dark, while a sweep runs: curves grew after {grown:.1f} s: {state} ({time.monotonic() - begun:.1f} s)")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
