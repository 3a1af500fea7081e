"""Hostile documents made in code: bombs, cycles, lies about sizes, nesting without end, and what is merely broken."""

import base64
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fpdf import FPDF
from PIL import Image

TEXT, HTML, XML, RTF, PDF = "text/plain", "text/html", "application/xml", "application/rtf", "application/pdf"
PNG, JPEG, TIFF = "image/png", "image/jpeg", "image/tiff"
WORDS = "Left breast, mastectomy: invasive ductal carcinoma, pT2 pN0, ER positive"
_PAGE = "/Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]"
_CATALOG = "<</Type/Catalog/Pages 2 0 R>>"
_ONE_PAGE = "<</Type/Pages/Kids[3 0 R]/Count 1>>"


@dataclass(frozen=True)
class Hostile:
    """One hostile attachment; `fields` are laid over the presentedForm that holds it."""

    name: str
    content_type: str
    make: Callable[[], bytes]
    fields: Mapping[str, Any] = field(default_factory=dict)

    def form(self) -> dict[str, Any]:
        """The presentedForm."""
        data = base64.b64encode(self.make()).decode()
        return {"contentType": self.content_type, "data": data, **self.fields}


def hostile_files() -> Iterator[Hostile]:
    """All of them, by the format that they pretend to be."""
    for content_type, made in ((PDF, _PDFS), (TEXT, _TEXTS), (HTML, _HTMLS), (XML, _XMLS), (RTF, _RTFS)):
        yield from (Hostile(name, content_type, make) for name, make in made.items())
    yield from (Hostile(name, content_type, make) for name, (content_type, make) in _PICTURES.items())
    for name, fields in _FORMS.items():
        yield Hostile(name, TEXT, WORDS.encode, fields)


def sound_files() -> dict[str, bytes]:
    """One sound document of each type that has a reader."""
    return {
        TEXT: WORDS.encode(),
        HTML: f"<html><body><p>{WORDS}</p></body></html>".encode(),
        XML: f"<ClinicalDocument xmlns='urn:hl7-org:v3'><section><text>{WORDS}</text></section></ClinicalDocument>".encode(),
        RTF: rb"{\rtf1 " + WORDS.encode() + b"}",
        PDF: sound_pdf(),
        **{kind: _picture(Image.linear_gradient("L"), kind[6:].upper()) for kind in (PNG, JPEG, TIFF)},
    }


def sound_pdf(pages: int = 1, **encryption: str) -> bytes:
    """A PDF with a text layer."""
    document = FPDF()
    document.set_font("Helvetica", size=11)
    if encryption:
        document.set_encryption(**encryption)
    for page in range(pages):
        document.add_page()
        document.cell(0, 6, f"Page {page + 1}. {WORDS}")
    return bytes(document.output())


def sound_scan() -> bytes:
    """A PDF whose page is a picture."""
    document = FPDF()
    document.add_page()
    picture = _picture(Image.linear_gradient("L").resize((120, 160)), "PNG")
    document.image(io.BytesIO(picture), x=0, y=0, w=210)
    return bytes(document.output())


def _pdf(*objects: str | bytes, root: str = "1 0 R", trailer: str = "") -> bytes:
    """A PDF written by hand: numbered objects, the first of them the catalogue."""
    parts = [b"%PDF-1.5\n"]
    for number, item in enumerate(objects, start=1):
        content = item.encode("latin-1") if isinstance(item, str) else item
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    parts.append(f"trailer<</Size {len(objects) + 1}/Root {root}{trailer}>>\n%%EOF".encode())
    return b"".join(parts)


def _stream(header: str, content: bytes) -> bytes:
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (header.encode(), len(content), content)


def _deflated(pattern: bytes, times: int) -> bytes:
    """About so many of the pattern, deflated: one block is packed and repeated, so that the making costs nothing."""
    packer = zlib.compressobj(9)
    block = (pattern * ((1 << 20) // len(pattern) + 1))[: 1 << 20]
    first, next_one = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + next_one * (times * len(pattern) >> 20) + packer.flush()


def _drawn(content: bytes, filters: str = "/Filter/FlateDecode", more: str = "") -> bytes:
    """A page that is drawn by such a stream."""
    resources = "/Resources<</Font<</F 5 0 R>>>>"
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    return _pdf(_CATALOG, _ONE_PAGE, f"<<{_PAGE}/Contents 4 0 R{resources}{more}>>", _stream(filters, content), font)


def _nested_forms(count: int = 12, side: int = 6000) -> bytes:
    """Forms, each drawing the one below forty times."""
    page = f"<<{_PAGE}/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>>>"
    objects: list[str | bytes] = [_CATALOG, _ONE_PAGE, page, _stream("", b"/X Do")]
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for number in range(6, 6 + count):
        last = number == 5 + count
        inner = "" if last else f"/XObject<</X {number + 1} 0 R>>"
        header = f"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</Font<</F 5 0 R>>{inner}>>"
        content = b"BT /F 9 Tf 10 10 Td (%b) Tj ET" % (b"x" * side) if last else b"/X Do " * 40
        objects.append(_stream(header, content))
    return _pdf(*objects)


def _pictured(filters: str, content: bytes, width: int = 1000, height: int = 1000) -> bytes:
    """A page that shows a picture of such bytes."""
    header = (
        f"/Type/XObject/Subtype/Image/Width {width}/Height {height}/BitsPerComponent 1/ColorSpace/DeviceGray{filters}"
    )
    page = f"<<{_PAGE}/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    return _pdf(_CATALOG, _ONE_PAGE, page, _stream("", b"600 0 0 800 0 0 cm /X Do"), _stream(header, content))


def _cut(tenths: int) -> Callable[[], bytes]:
    return lambda: (whole := sound_pdf(pages=5))[: len(whole) * tenths // 10]


_PASSWORDS = {f"{who}_password": who for who in ("owner", "user")}
_SOME = b"BT /F 9 Tf 10 700 Td (" + WORDS.encode() + b") Tj ET"
_PDFS: dict[str, Callable[[], bytes]] = {
    "flate bomb, 1 GiB of blanks": lambda: _drawn(_deflated(b" ", 1 << 30)),
    "flate bomb within a flate bomb": lambda: _drawn(
        zlib.compress(_deflated(b" ", 1 << 30)), "/Filter[/FlateDecode/FlateDecode]"
    ),
    "flate bomb, 64 MiB of drawn text": lambda: _drawn(_deflated(_SOME + b"\n", (64 << 20) // len(_SOME))),
    "forms that draw forms, 40 to the 12th": _nested_forms,
    "one page 100,000 times": lambda: _pdf(
        _CATALOG, "<</Type/Pages/Kids[" + "3 0 R " * 100_000 + "]/Count 100000>>", f"<<{_PAGE}>>"
    ),
    "a count of pages that is a lie (2,000,000,000)": lambda: _pdf(
        _CATALOG, "<</Type/Pages/Kids[3 0 R]/Count 2000000000>>", f"<<{_PAGE}>>"
    ),
    "pages that are their own children": lambda: _pdf(_CATALOG, "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"),
    "outlines in a circle": lambda: (
        _drawn(_SOME, "")
        .replace(b"/Pages 2 0 R", b"/Pages 2 0 R/Outlines<</First 6 0 R>>", 1)
        .replace(b"trailer", b"6 0 obj\n<</Title(x)/Next 6 0 R/First 6 0 R>>\nendobj\ntrailer", 1)
    ),
    "a cross-reference table in a circle": lambda: (
        b"%PDF-1.5\nxref\n0 1\n0000000000 65535 f \ntrailer<</Size 1/Root 1 0 R/Prev 9>>\nstartxref\n9\n%%EOF"
    ),
    "object streams within themselves": lambda: _pdf(
        "<</Type/Catalog/Pages 4 0 R>>",
        _stream("/Type/ObjStm/N 2/First 10/Extends 3 0 R", b"3 0 4 5    (x) (y)"),
        _stream("/Type/ObjStm/N 2/First 10/Extends 2 0 R", b"2 0 4 5    (x) (y)"),
    ),
    "a form that draws itself": lambda: _pdf(
        _CATALOG,
        _ONE_PAGE,
        f"<<{_PAGE}/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        _stream("", b"/X Do"),
        _stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>", b"/X Do /X Do"),
    ),
    "arrays 500,000 deep": lambda: _pdf(_CATALOG, _ONE_PAGE, f"<<{_PAGE}/X " + "[" * 500_000 + "]" * 500_000 + ">>"),
    "a page of 10,000,000 points": lambda: _drawn(_SOME, "").replace(b"[0 0 600 800]", b"[0 0 10000000 10000000]"),
    "encrypted, a password to open": lambda: sound_pdf(**_PASSWORDS),
    "encrypted, a password to change": lambda: sound_pdf(owner_password=_PASSWORDS["owner_password"]),
    "cut after one tenth": _cut(1),
    "cut after one half": _cut(5),
    "cut after nine tenths": _cut(9),
    "an update that was cut": lambda: sound_pdf() + b"\n99 0 obj\n<</Length 9000>>\nstream\n" + b"x" * 6000,
    "JavaScript, a launch and an embedded file": lambda: _drawn(_SOME, "").replace(
        b"/Pages 2 0 R",
        b"/Pages 2 0 R/OpenAction<</S/JavaScript/JS(while\\(1\\){})>>/AA<</WC<</S/Launch/F(/bin/sh)>>>>"
        b"/Names<</EmbeddedFiles<</Names[(x)<</EF<</F 4 0 R>>>>]>>>>",
        1,
    ),
    "a font file of rubbish": lambda: _drawn(_SOME, "").replace(
        b"/BaseFont/Helvetica", b"/BaseFont/X/FontDescriptor<</FontFile2 4 0 R/FontFile 4 0 R>>/ToUnicode 4 0 R"
    ),
    "JBIG2 of rubbish": lambda: _pictured("/Filter/JBIG2Decode", b"\x97JB2\r\n\x1a\n" + b"\xff" * 4000),
    "JPEG 2000 of rubbish": lambda: _pictured("/Filter/JPXDecode", b"\xff\x4f\xff\x51" + b"\xff" * 4000),
    "a picture of 60,000 by 60,000": lambda: _pictured(
        "/Filter/FlateDecode", _deflated(b"\0", 450_000_000), 60_000, 60_000
    ),
    "nothing but a header": lambda: b"%PDF-1.7\n",
}
_TEXTS: dict[str, Callable[[], bytes]] = {
    "100 MB of text": lambda: b"word " * 20_000_000,
    "24 MB in one line": lambda: b"x" * 24_000_000,
    "24 MB of no known charset": lambda: bytes(range(1, 256)) * 94_000,
    "zeros among the letters": lambda: b"Left\0breast" * 100,
    "half of a surrogate pair": lambda: b"\xff\xfe" + WORDS.encode("utf-16-le") + b"\x00\xd8",
    "marks that turn the direction": lambda: ("\u202e\u2066\u200f" + WORDS + "\u202c").encode(),
}
_HTMLS: dict[str, Callable[[], bytes]] = {
    "elements 100,000 deep": lambda: b"<div>" * 100_000 + WORDS.encode(),
    "tables 20,000 deep": lambda: b"<table><tr><td>x" * 20_000 + WORDS.encode(),
    "lists 20,000 deep": lambda: b"<ol><li>" * 20_000 + WORDS.encode(),
    "300,000 attributes": lambda: b"<p " + b" ".join(b"a%d=1" % at for at in range(300_000)) + b">" + WORDS.encode(),
    "1,000,000 sections of CDATA left open": lambda: (
        b"<?xml version='1.0'?><p>" + WORDS.encode() + b"<![CDATA[" * 1_000_000
    ),
    "20,000 rules on 20,000 elements": lambda: (
        b"<style>" + b"".join(b".a%d i{display:none}" % at for at in range(20_000)) + b"</style>" + b"<i>x</i>" * 20_000
    ),
    "24 MB of line breaks": lambda: WORDS.encode() + b"<br>" * 6_000_000,
    "24 MB of open comments": lambda: WORDS.encode() + b"<!--" * 6_000_000,
    "cells over rows and columns": lambda: b"<table><tr>" + b"<td rowspan=9999 colspan=9999>x" * 300_000,
}
_LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
_XMLS: dict[str, Callable[[], bytes]] = {
    "billion laughs": lambda: f'<!DOCTYPE text [<!ENTITY l0 "lol">{_LAUGHS}]><text>&l9;</text>'.encode(),
    "an entity from a file": lambda: b'<!DOCTYPE text [<!ENTITY x SYSTEM "file:///etc/passwd">]><text>&x;</text>',
    "a document type from elsewhere": lambda: (
        b'<!DOCTYPE text SYSTEM "http://192.0.2.1/x.dtd"><text>' + WORDS.encode() + b"</text>"
    ),
    "elements 1,000,000 deep": lambda: b"<text>" + b"<a>" * 1_000_000 + WORDS.encode(),
    "200,000 attributes": lambda: b"<text " + b" ".join(b"a%d='1'" % at for at in range(200_000)) + b">x</text>",
    "a name of 10 MB": lambda: b"<text><" + b"a" * 10_000_000 + b"/>x</text>",
    "a document within a document": lambda: (
        b"<ClinicalDocument><component><nonXMLBody><text mediaType='text/xml' "
        b"representation='B64'>PHRleHQvPg==</text></nonXMLBody></component></ClinicalDocument>"
    ),
}
_RTFS: dict[str, Callable[[], bytes]] = {
    "3,000,000 groups within groups": lambda: rb"{\rtf1 " + b"{" * 3_000_000 + b"x" + b"}" * 3_000_001,
    "groups left open": lambda: rb"{\rtf1 " + b"{" * 3_000_000,
    "500,000 control words": lambda: rb"{\rtf1 " + rb"\f1\v a\v0" * 125_000 + WORDS.encode() + b"}",
    "8,000,000 control words": lambda: rb"{\rtf1 " + rb"\b " * 8_000_000 + b"}",
    r"\bin of 4,000,000,000 bytes": lambda: rb"{\rtf1 \bin4000000000 " + WORDS.encode() + b"}",
    r"\bin of -1 bytes": lambda: rb"{\rtf1 \bin-1 " + WORDS.encode() + b"}",
}


def _picture(image: Image.Image, kind: str, **more: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, format=kind, **more)
    return target.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *before: bytes, data: bytes = b"") -> bytes:
    """A PNG of one bit a point."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _many_frames(count: int) -> bytes:
    """A TIFF of so many directories, each of the same small picture."""
    head, entries = (
        b"II*\x00\x10\x00\x00\x00" + b"\xff" * 8,
        [(256, 8), (257, 8), (258, 1), (259, 1), (262, 1), (273, 8), (279, 8)],
    )
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    length = 2 + len(tags) + 4
    frames = (
        struct.pack("<H", len(entries)) + tags + struct.pack("<I", 16 + length * (at + 1) if at + 1 < count else 0)
        for at in range(count)
    )
    return head + b"".join(frames)


def _cyclic_tiff() -> bytes:
    """A TIFF whose only directory names itself as the next."""
    return _many_frames(1)[:-4] + struct.pack("<I", 16)


def _huge_jpeg() -> bytes:
    """A JPEG that says that it is 65,500 points wide and high."""
    small = bytearray(_picture(Image.new("L", (16, 16)), "JPEG"))
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(small)


_PICTURES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "PNG bomb, 60,000 by 60,000": (PNG, lambda: _png(60_000, 60_000, data=_deflated(b"\0", 450_060_000))),
    "PNG of 0 by 0": (PNG, lambda: _png(0, 0)),
    "PNG with 1 GiB of deflated comment": (
        PNG,
        lambda: _png(8, 8, _chunk(b"zTXt", b"x\0\0" + _deflated(b" ", 1 << 30)), data=zlib.compress(b"\0\0" * 8)),
    ),
    "PNG that was cut": (PNG, lambda: (whole := sound_files()[PNG])[: len(whole) // 2]),
    "PNG of 200 moving pictures": (
        PNG,
        lambda: _picture(
            Image.new("1", (8, 8)),
            "PNG",
            save_all=True,
            append_images=[Image.new("1", (8, 8), at % 2) for at in range(200)],
        ),
    ),
    "a GIF called PNG": (PNG, lambda: _picture(Image.new("L", (8, 8)), "GIF")),
    "JPEG bomb, 65,500 by 65,500": (JPEG, _huge_jpeg),
    "JPEG that was cut": (JPEG, lambda: (whole := sound_files()[JPEG])[: len(whole) // 2]),
    "TIFF of 10,000 pictures": (TIFF, lambda: _many_frames(10_000)),
    "TIFF in a circle": (TIFF, _cyclic_tiff),
    "TIFF bomb, 100,000 by 100,000": (
        TIFF,
        lambda: (
            _many_frames(1)
            .replace(struct.pack("<HHII", 256, 4, 1, 8), struct.pack("<HHII", 256, 4, 1, 100_000))
            .replace(struct.pack("<HHII", 257, 4, 1, 8), struct.pack("<HHII", 257, 4, 1, 100_000))
        ),
    ),
    "TIFF that was cut": (TIFF, lambda: sound_files()[TIFF][:300]),
}
_FORMS: dict[str, dict[str, Any]] = {
    "base64 of rubbish": {"data": "*&^%" * 1000},
    "base64 without its padding": {"data": "QUJDR"},
    "another document's hash": {"hash": base64.b64encode(b"x" * 20).decode()},
    "a size that is a lie": {"size": 3},
    "a size of 2,000,000,000": {"size": 2_000_000_000},
    "an empty document": {"data": ""},
    "a type that no reader has": {"contentType": "application/zip"},
}
