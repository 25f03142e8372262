"""The page in a real browser, where there is one: every part that can be used, and no complaint."""

import json

import pytest

from jaxgen.display.report.page import page
from jaxgen.training import told_run
from tests.display.report import browser
from tests.display.report.conftest import HOSTILE

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def pages(folder, tmp_path_factory):
    """The pages that are opened, by name."""
    place = tmp_path_factory.mktemp("pages")
    contents = {
        "gan": ["slow-1"],
        "captioner": ["words"],
        "gans": ["slow-0", "slow-1", "fast-0", "fast-1", "three", "lost"],
        "captioners": ["words", "more"],
    }
    for name, runs in contents.items():
        told = [told_run.told(told_run.read(folder / run)) for run in runs]
        told[0] = told[0].__class__(**(vars(told[0]) | {"name": f"{HOSTILE} & co"}))
        (place / f"{name}.html").write_text(page(told), "utf-8")
    return place


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def opened(chromium, pages):
    """Opens a page; in the end nothing was complained of, fetched, or taken for a script."""

    def open_page(name, **options):
        chromium.open(pages / f"{name}.html", **options)
        return chromium

    yield open_page
    assert chromium.problems == []
    assert [r for r in chromium.requests if not r.startswith(("file:", "data:", "blob:"))] == []
    assert chromium.run("document.title") != "taken"


def click(chromium, selector):
    chromium.run(f"document.querySelector({json.dumps(selector)}).click()")


def text(chromium, selector):
    return chromium.run(f"document.querySelector({json.dumps(selector)}).textContent")


def shown_steps(chromium):
    return [
        int(chromium.run(f"document.getElementById('{name}').value")) for name in ("from", "to")
    ]


@pytest.mark.parametrize("name", ["gan", "captioner", "gans", "captioners"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_screen(opened, name, scheme, width):
    chromium = opened(name, width=width, mobile=width < 500, scheme=scheme)
    assert chromium.run("document.documentElement.scrollWidth") <= width
    paper = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    assert chromium.run("document.querySelectorAll('canvas').length") >= 1
    assert HOSTILE in text(chromium, "h1, h3 bdi") + text(chromium, "tbody th") + text(
        chromium, "body"
    )


def test_text_stands_out_from_its_paper(opened):
    """4.5 to 1, as WCAG 2 asks, for every colour that text has, in light and in dark."""
    measure = """(() => {
      const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
      };
      const paper = (node) => {
        for (; node; node = node.parentElement) {
          const colour = getComputedStyle(node).backgroundColor;
          if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
      };
      return [...document.querySelectorAll("p, li, th, td, a, small, summary, button, h1, h2, h3")]
        .filter((node) => node.textContent.trim() && node.offsetParent)
        .map((node) => {
          const [a, b] = [light(getComputedStyle(node).color), light(paper(node))];
          const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          return [ratio, node.outerHTML.slice(0, 80)];
        }).filter(([ratio]) => ratio < 4.5);
    })()"""
    for name in ("gans", "captioner"):
        for scheme in ("light", "dark"):
            assert opened(name, scheme=scheme).run(measure) == []


def test_tables_sort_by_their_titles(opened):
    chromium = opened("gans")
    column = """[...document.querySelectorAll('#comparison table:first-of-type tbody tr')]
        .slice(0, 4).map((row) => row.cells[2].dataset.value)"""
    up = [float(value) for value in chromium.run(column)]
    assert up == sorted(up)
    click(chromium, "#comparison th:nth-child(3) button")
    click(chromium, "#comparison th:nth-child(3) button")
    down = [float(value) for value in chromium.run(column)]
    assert down == sorted(up, reverse=True)
    title = "document.querySelector('#comparison th:nth-child(3)').getAttribute('aria-sort')"
    assert chromium.run(title) == "descending"


def test_what_has_no_value_is_last_either_way(opened):
    chromium = opened("gans")
    last = "[...document.querySelectorAll('#comparison tbody')][0].rows[3].cells[3].textContent"
    for _ in range(2):
        click(chromium, "#comparison th:nth-child(4) button")  # p, which the best has none of
        assert chromium.run(last) == "-"


def test_curves_zoom_hide_and_change(opened):
    chromium = opened("gan")
    whole = shown_steps(chromium)
    assert whole == [1, 400]
    click(chromium, "#in")
    assert shown_steps(chromium) == [101, 300]
    click(chromium, "#out")
    assert shown_steps(chromium) == whole
    chromium.run("""(() => { const from = document.getElementById('from'); from.value = 150;
        from.dispatchEvent(new Event('change')); })()""")
    assert shown_steps(chromium) == [150, 400]
    click(chromium, "#all")
    chromium.run("document.querySelector('.chart').scrollIntoView({behavior: 'instant'})")
    box = chromium.run(
        "(({x, y, width, height}) => [x, y, width, height])"
        "(document.querySelector('.chart .u-over').getBoundingClientRect())"
    )
    x, y, wide, high = box
    chromium.mouse("mouseMoved", x + wide / 4, y + high / 2)
    assert " at " in text(chromium, ".legend output")  # the value under the pointer
    button = {"button": "left", "clickCount": 1}
    chromium.mouse("mousePressed", x + wide / 4, y + high / 2, **button)
    chromium.mouse("mouseMoved", x + wide / 2, y + high / 2, buttons=1)
    chromium.mouse("mouseReleased", x + wide / 2, y + high / 2, **button)
    chromium.run("new Promise((done) => setTimeout(done, 100))")
    first, last = shown_steps(chromium)
    assert abs(first - 100) < 15
    assert abs(last - 200) < 15
    painted = """(() => { const canvas = document.querySelector('.chart canvas');
        return canvas.toDataURL().length; })()"""
    before = chromium.run(painted)
    for selector in (".legend input", "#log", "#raw"):
        click(chromium, selector)
        chromium.run("new Promise((done) => setTimeout(done, 50))")
        after = chromium.run(painted)
        assert after != before, selector
        before = after


def test_samples_move_by_the_keyboard(opened):
    chromium = opened("gan")
    newest = chromium.run("document.querySelector('#samples img').src")
    chromium.run("document.querySelector('#samples input').focus()")
    chromium.press("Home", 36)
    assert text(chromium, "#samples output") == "50"
    assert chromium.run("document.querySelector('#samples img').src") != newest
    assert "after 50 steps" in chromium.run("document.querySelector('#samples img').alt")
    chromium.press("End", 35)
    assert chromium.run("document.querySelector('#samples img').src") == newest


def test_a_word_shows_where_it_looked(opened):
    chromium = opened("captioner")
    painted = "document.querySelector('.veil').toDataURL()"
    empty = chromium.run(painted)
    chromium.run(
        "document.querySelector('.made').scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    x, y = chromium.run(
        "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
        "(document.querySelector('.made button').getBoundingClientRect())"
    )
    chromium.mouse("mouseMoved", x, y)
    assert '"a" looked most at row' in text(chromium, ".looked")
    seen = chromium.run(painted)
    assert seen != empty
    chromium.mouse("mouseMoved", 1, 1)
    assert text(chromium, ".looked") == ""
    chromium.run("document.querySelector('.captions input').focus()")
    chromium.press("Tab", 9)
    assert '"a" looked' in text(chromium, ".looked")
    chromium.press("Tab", 9)
    assert '"red" looked' in text(chromium, ".looked")
    chromium.run("document.querySelector('.captions input').focus()")
    chromium.press("Home", 36)
    assert text(chromium, ".made") == "nothing yet"


def test_colours_may_be_chosen_and_paper_is_white(opened):
    chromium = opened("gan", scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    choose = "(() => {{ theme.value = '{}'; theme.dispatchEvent(new Event('change')); }})()"
    chromium.run(choose.format("light"))
    assert chromium.run(paper) == "rgb(255, 255, 255)"
    chromium.run(choose.format(""))
    assert chromium.run(paper) == "rgb(20, 23, 27)"
    chromium.ask("Emulation.setEmulatedMedia", media="print")
    assert chromium.run(paper) == "rgb(255, 255, 255)"
    assert chromium.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    chromium.ask("Emulation.setEmulatedMedia", media="")
    assert len(chromium.ask("Page.printToPDF")["data"]) > 10_000


def test_tables_for_other_programs_are_inside(opened):
    chromium = opened("gans")
    figures = chromium.run(
        "fetch ? atob(document.querySelector('a[download]').href.split(',')[1]) : 0"
    )
    assert figures.startswith("group,run,seed,state,step,")
    caught = chromium.run("""new Promise((done) => {
        const real = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); return real(blob); };
        document.getElementById('points').click(); })""")
    assert caught.splitlines()[0] == "chart,curve,step,value,low,high"
    assert len(caught.splitlines()) > 1000


def test_without_scripts_all_that_matters_is_there(opened):
    chromium = opened("gan", scripts=False)
    chromium.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert chromium.run("document.querySelectorAll('polyline').length") == 3
    assert (
        chromium.run("getComputedStyle(document.querySelector('#samples label')).display") == "none"
    )
    assert chromium.run("document.querySelector('#samples img').naturalWidth") > 100
