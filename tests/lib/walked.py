"""What a test of a page looks at: its pictures, each told in words and with its data below it; its size; its text."""

import re
import xml.etree.ElementTree as ElementTree

import html5lib

SVG = "{http://www.w3.org/2000/svg}"


def parsed(page: str) -> ElementTree.Element:
    """The page as a tree; an error where it is no valid HTML."""
    html5lib.HTMLParser(strict=True).parse(page)
    return html5lib.parse(page, namespaceHTMLElements=False)


def told(page: str) -> list[str]:
    """The findings of the page's charts, in order, each held to what every chart has.

    A name, a sentence that states a finding with a figure or a name in it, the same sentence as caption, and a folded
    table of the data with as many cells in each row as there are columns.
    """
    findings = []
    for figure in parsed(page).iterfind(".//div[@class='chart']"):
        for svg in figure.iter(f"{SVG}svg"):
            assert svg.get("role") == "img"
            assert [child.tag for child in svg][:2] == [f"{SVG}title", f"{SVG}desc"]
            name, finding = svg[0].text or "", svg[1].text or ""
            assert name
            assert re.match(r"[A-Z0-9“]", finding), finding
            assert finding.endswith("."), finding
            assert not re.match(r"(?i)(an?|the) (chart|graph|picture|diagram|figure)\b", finding)
            assert finding in "".join(figure.itertext()).replace(finding, "", 1), "no caption"
            rows = [[cell.tag for cell in row] for table in figure.iter("table") for row in table.iter("tr")]
            assert len(rows) > 1, name
            assert len({len(row) for row in rows}) == 1, name
            assert list(figure.iter("details")), name
            findings.append(finding)
    every = sum(1 for svg in parsed(page).iter(f"{SVG}svg") if svg.get("aria-hidden") != "true")
    assert every == len(findings), "a picture stands outside of a chart"
    return findings


def marked(page: str) -> set[str]:
    """The elements and attributes of a page, and the schemes of its addresses: what may run, if any may."""
    found: set[str] = set()
    for element in parsed(page).iter():
        if not isinstance(element.tag, str):
            continue
        found.add(element.tag.removeprefix(SVG))
        found |= {f"@{name}" for name in element.keys() if name.startswith("on")}  # noqa: SIM118
        for name in ("href", "src"):
            if (scheme := re.match(r"[a-z]+:", element.get(name, ""), re.IGNORECASE)) is not None:
                found.add(scheme[0].lower())
    return found
