"""Every link within the README and the pages leads somewhere; no page is heavy."""

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name

OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
MOST = 100_000  # bytes of a source; the site's check is of what is made of it


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=name)
def test_links_lead_somewhere(page):
    lost = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue  # of others, and there is no network
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        is_ours = target.is_relative_to(ROOT) and target.exists()
        if not is_ours or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_is_light(page):
    assert page.stat().st_size < MOST


def test_every_picture_is_shown():
    linked = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture in linked, picture.name


def test_links_are_found_where_they_are(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A *title*, with 2 parts\n[a](b.md) ![c](d.png) [`e`](f.py#g) `[no](h.md)`\n"
        "```sh\n[no](i.md)\n```\n"
    )
    assert links(page) == ["b.md", "d.png", "f.py#g"]
    assert anchors(page) == {"a-title-with-2-parts"}
