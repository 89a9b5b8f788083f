"""Looks at pages of `dnnc report`: by itself, and as Chromium shows them without a network.

usage: report.py page FILE                    asks for nothing, holds no script, nests its elements
       report.py holds FILE TEXT...           texts of the page, in elements
       report.py count FILE charts|curves|buffers|pictures|rows N
       report.py reaches FILE Y             a curve goes up to Y of the picture, in pixels from its upper edge
       report.py chromium FILE TITLE          draws it: title, no complaints, no request, a picture that is not blank"""
import html.parser
import os
import re
import struct
import subprocess
import sys
import zlib

TAGS = set("""html head meta title style body header nav main footer section h1 h2 h3 small p a code span div dl dt dd
table tbody tr th td figure figcaption img svg path text rect details summary pre""".split())
VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text, self.named = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, "element " + tag
        for name, value in attrs:
            assert not name.startswith("on"), "%s of %s" % (name, tag)
            if name in ("src", "href"):
                assert re.match(r"#[a-z]+$|data:image/png;base64,[A-Za-z0-9+/=]+$|[^:]*/report\.html$", value), value
            assert name not in ("srcset", "data", "action", "xlink:href", "srcdoc"), name
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open, tag)
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] == "title" and "svg" not in self.open:
            self.named += data
        if self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data


def load(path):
    with open(path, encoding="utf-8") as f:
        return Page(f.read())


def count(page, what):
    cls = [(tag, (a.get("class") or "").split()) for tag, a in page.elements]
    return {"charts": sum(t == "figure" and "chart" in c for t, c in cls),
            "curves": sum(t == "path" and "curve" in c for t, c in cls),
            "buffers": sum(t == "rect" and "buffer" in c for t, c in cls),
            "pictures": sum(t == "img" for t, _ in cls),
            "rows": sum(t == "tr" for t, _ in cls)}[what]


def png(path):
    """Rows of bytes of an 8-bit PNG file (PNG specification, 9)."""
    b = open(path, "rb").read()
    at, data = 8, b""
    while at < len(b):
        n, kind = struct.unpack(">I4s", b[at:at + 8])
        if kind == b"IHDR":
            w, h, depth, colour = struct.unpack(">IIBB", b[at + 8:at + 18])
        data += b[at + 8:at + 8 + n] if kind == b"IDAT" else b""
        at += 12 + n
    assert depth == 8 and colour in (2, 6)
    c, raw, rows, before = 3 if colour == 2 else 4, zlib.decompress(data), [], None
    for y in range(h):
        kind, row = raw[y * (w * c + 1)], bytearray(raw[y * (w * c + 1) + 1:(y + 1) * (w * c + 1)])
        before = before or bytearray(w * c)
        for i in range(w * c if kind else 0):
            left, up, corner = row[i - c] if i >= c else 0, before[i], before[i - c] if i >= c else 0
            if kind == 4:
                p = left + up - corner
                near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, near if kind == 4 else 0)[kind]) & 255
        rows.append(bytes(row))
        before = row
    return w, h, c, rows


def chromium(path, title):
    tmp = os.environ["TMP"]
    base = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--hide-scrollbars", "--user-data-dir=" + tmp + "/chromium", "--disable-background-networking",
            "--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"]
    env = dict(os.environ, HOME=tmp)
    url = "file://" + os.path.abspath(path).replace("%", "%25").replace("#", "%23").replace("?", "%3F")
    shot = tmp + "/shot.png"
    r = subprocess.run(base + ["--window-size=900,1200", "--screenshot=" + shot, "--dump-dom", url],
                       capture_output=True, text=True, timeout=240, env=env)
    assert "CONSOLE" not in r.stderr, r.stderr
    with open(tmp + "/dom.html", "w", encoding="utf-8") as f:
        f.write(r.stdout)
    dom, page = load(tmp + "/dom.html"), load(path)
    assert dom.named == title, dom.named
    for what in "charts", "curves", "buffers", "pictures", "rows":
        assert count(dom, what) == count(page, what), what
    w, h, c, rows = png(shot)
    assert (w, h) == (900, 1200), (w, h)
    colours = {}
    for row in rows:
        for x in range(0, w * c, c):
            colours[row[x:x + 3]] = colours.get(row[x:x + 3], 0) + 1
    ground = max(colours.values()) / (w * h)
    assert len(colours) > 50 and 0.5 < ground < 0.99, (len(colours), ground)


def main():
    what, path, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    if what == "chromium":
        return chromium(path, rest[0])
    page = load(path)
    assert page.named and dict(page.elements)["meta"] is not None
    text = " ".join(" ".join(page.text).split())
    for t in rest if what == "holds" else []:
        assert t in text, t
    if what == "reaches":
        d = next(a["d"] for t, a in page.elements if t == "path" and "curve" in a.get("class", ""))
        top = min(float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", d))
        assert abs(top - float(rest[0])) < 15, top
    if what == "count":
        assert count(page, rest[0]) == int(rest[1]), (rest, count(page, rest[0]))


main()
