"""Fuzzes the readers of documents with atheris: whatever comes in, out comes a text or a numbered reject.

    pip install --target DIR atheris==3.0.0        # Apache-2.0; no dependency of Synoptic
    PYTHONPATH=DIR:. python -m benchmarks.fuzz_documents TARGET … --corpus DIR [--minutes 5]

Each target runs for so many minutes, and a later run goes on from its corpus. What is no text and no reject ends the
round: its input is kept under DIR/TARGET/found, and the next round begins. Prints a line for each target: runs, minutes,
findings by kind. The readers run without their subprocess here, so that a fault shows instead of ending as SYN-120.
"""

import argparse
import base64
import io
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from schemas.errors import Kind, SynopticError

SECONDS_FOR_ONE = 10
MEMORY_MIB = 1024
GROWTH = 64
"""How many times longer than its source a text may be; labels of columns are repeated for each cell."""

_REPORT = (
    b'{"resourceType":"DiagnosticReport","id":"r1","identifier":[{"system":"urn:s","value":"1"}],"status":"final",'
    b'"code":{"coding":[{"system":"http://loinc.org","code":"11526-1"}]},"subject":{"reference":"Patient/p1"},'
    b'"issued":"2024-03-05T10:00:00Z","presentedForm":[{"contentType":"text/plain","data":"TGVmdCBicmVhc3Q="}]}'
)


def read_html(data: bytes) -> None:
    """HTML and XHTML."""
    from gateway.documents.html_text import html_to_text

    _check_text(html_to_text(_text(data)), len(data))


def read_xml(data: bytes) -> None:
    """CDA, its narrative, and XHTML as XML."""
    from gateway.documents.cda_text import xml_to_text

    _check_text(xml_to_text(_text(data)).text, len(data))


def read_rtf(data: bytes) -> None:
    """RTF."""
    from gateway.documents.rtf_text import rtf_to_text

    _check_text(rtf_to_text(data), len(data))


def read_forms(data: bytes) -> None:
    """Two forms of a report, parted by a form feed: whichever is asked first, they contradict each other as often."""
    from gateway.documents.form_differences import compare

    one, _, other = _text(data).partition("\f")
    said, said_back = compare(one, other), compare(other, one)
    assert said.contradictions == said_back.contradictions, "the order of two forms decides whether they agree"
    assert not compare(one, one).contradictions, "a form contradicts itself"


def read_sheets(data: bytes) -> None:
    """Pages parted by form feeds, joined over their headers and footers: no page gains text, each run leads to its own."""
    from gateway.documents.page_layout import PageLayout, Run
    from gateway.documents.running_lines import joined_pages

    texts = _text(data).split("\f")
    pages = [PageLayout(text, tuple(Run(at, at + 1, at, 0, at, 1) for at in range(len(text)))) for text in texts]
    for page, (_, joined) in zip(pages, joined_pages(pages), strict=True):
        assert joined.text in page.text, "a page has lines that it had not"
        assert joined.text == "".join(page.text[run.from_x] for run in joined.runs), "a run leads elsewhere"


def read_charset(data: bytes) -> None:
    """A declared contentType up to the first line's end, then the bytes of a text."""
    from gateway.documents.charsets import decode_text
    from gateway.documents.content_type import check_magic, parse_content_type

    declared, _, content = data.partition(b"\n")
    content_type = parse_content_type(declared.decode("latin-1"))
    check_magic(content, content_type)
    _check_text(decode_text(content, content_type.kind, content_type.charset).text, len(content))


def read_attachment(data: bytes) -> None:
    """Lines: hash, size, contentType, and then the data as it would stand in JSON."""
    from gateway.fhir.parsing import parse_json, pick_report
    from schemas.settings import Settings

    digest, size, content_type, content = (data.decode("latin-1").split("\n", 3) + [""] * 3)[:4]
    form: dict[str, object] = {"contentType": content_type, "data": content}
    if digest:
        form["hash"] = digest
    if size.isascii() and size.isdigit():
        form["size"] = int(size[:9])
    _attachments().read(form, pick_report(parse_json(_REPORT, Settings().bus.maximum_message_bytes)))


def read_message(data: bytes) -> None:
    """A FHIR message through the whole of intake; documents in it that need the subprocess use it."""
    _intake().read(data)


def read_pdf(data: bytes) -> None:
    """The text layer of each page, and the first page drawn."""
    from gateway.documents.pdf_pages import read_pages, render_page

    for page in read_pages(data):
        page["text"].encode()
    render_page(data, 0)


def read_image(data: bytes) -> None:
    """The first and the last picture of an image."""
    from gateway.documents.ocr_process import open_frame

    _, frames = open_frame(data, 0)
    open_frame(data, frames - 1)


Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {
    "html": read_html,
    "xml": read_xml,
    "rtf": read_rtf,
    "forms": read_forms,
    "sheets": read_sheets,
    "charset": read_charset,
    "attachment": read_attachment,
    "message": read_message,
    "pdf": read_pdf,
    "image": read_image,
}
_WORDS = {
    "html": '<table> <tr> <td> <th> <thead> colspan=" rowspan=" <style> display:none </body> <html <pre> <ol> <li> <dl> <dt> '
    '<dd> <![CDATA[ ]]> <!-- --> <!DOCTYPE [ ]> <input <option selected xmlns= /> &nbsp; style=" { } @media '
    "visibility:visible opacity:0 font-size:0 color:#fff background:rgb( position:absolute left:-999px overflow !important",
    "xml": "<ClinicalDocument <structuredBody> <section> <title> <text> <table> <tr> <td> <th> <list> <item> <content "
    'revised="delete" <nonXMLBody> representation="B64" mediaType=" <!DOCTYPE <!ENTITY <![CDATA[ ]]> xmlns= <html',
    "rtf": "{\\rtf1 \\par \\u \\uc \\'e4 \\bin \\cell \\row \\trowd \\trhdr {\\fonttbl \\f0 \\fcharset2 \\v \\strike {\\* "
    "\\ansicpg \\pntext \\upr \\footnote \\deff \\sect \\plain { } \\deleted \\nestcell \\nestrow",
    "forms": "no not left right positive negative ER: 95% 2.3 cm 23 mm pT1c pN0(sn) pTis 1. 01/02/2024 May Page of III < +",
    "sheets": "Page Seite of von / . : 2.3 cm % ( -",
    "charset": "text/plain text/html application/xml charset= utf-8 utf-16 iso-8859-1 utf-7 <meta encoding= <?xml",
    "attachment": "text/plain charset= ==== application/pdf",
    "message": "presentedForm contentType data url hash size contained Binary conclusion result Observation Bundle entry "
    "text div status resourceType reference component hasMember",
    "pdf": "/Kids /Count /Page /Pages /MediaBox /Contents /FlateDecode /JBIG2Decode /JPXDecode /DCTDecode /ObjStm /XRef "
    "/Encrypt /Resources /XObject /Form /Type0 /ToUnicode endobj stream endstream trailer startxref %%EOF /Prev /Rotate",
    "image": "IHDR IDAT IEND PLTE tRNS iCCP zTXt acTL II* MM Exif",
}


def seeds(target: str) -> Iterator[bytes]:
    """Small sound documents, from which the fuzzer begins."""
    if target in _TEXT_SEEDS:
        yield from _TEXT_SEEDS[target]
    elif target == "pdf":
        from benchmarks.hostile_inputs import sound_pdf, sound_scan

        yield from (sound_pdf(), sound_pdf(pages=3), sound_scan())
    else:
        from PIL import Image

        for kind, mode in (
            ("PNG", "RGBA"),
            ("PNG", "P"),
            ("JPEG", "L"),
            ("JPEG", "CMYK"),
            ("TIFF", "1"),
            ("TIFF", "L"),
        ):
            yield _picture(Image.new(mode, (24, 16)), kind)
        yield _picture(Image.new("1", (24, 16)), "TIFF", compression="group4")
        yield _picture(
            Image.new("L", (24, 16)),
            "TIFF",
            save_all=True,
            append_images=[Image.new("L", (8, 8))],
            compression="tiff_lzw",
        )


_TABLE = b"<table><thead><tr><th>ER</th><th>PR</th></tr></thead><tr><td>pos</td><td rowspan='2'>neg</td></tr></table>"
_TEXT_SEEDS: dict[str, tuple[bytes, ...]] = {
    "html": (
        b"<!DOCTYPE html><html><head><style>.h{display:none}</style></head><body><p>A</p>" + _TABLE + b"</body></html>",
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><div/><![CDATA[a<b]]></body></html>',
        b"<ol start='3' type='a'><li>A<ul><li>B</ul></ol><dl><dt>T<dd>D</dl><pre> x\n y</pre><input type=checkbox checked>",
        b"<style>@media screen{p i,.a>b{color:#fff!important;background:rgb(0 0 0/1)}}</style><p style='position:absolute;"
        b"left:-9em'><i class=a style='font-size:.1px;visibility:visible'>A<b>B</b></i></p>",
    ),
    "xml": (
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'><title>T</title><component><structuredBody><component><section><title>S"
        b"</title><text><list><item>i</item></list>"
        + _TABLE.replace(b"<br>", b"<br/>")
        + b"</text></section></component></structuredBody></component></ClinicalDocument>",
        b"<ClinicalDocument><component><nonXMLBody><text mediaType='text/plain' representation='B64'>QQ==</text>"
        b"</nonXMLBody></component></ClinicalDocument>",
        b"<text><paragraph>a<content revised='delete'>b</content></paragraph></text>",
    ),
    "rtf": (
        rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset2 Symbol;}}\f0 A\'e4\u8805 ?\par"
        rb"{\f1\'b3}\trowd\trhdr ER\cell PR\cell\row\trowd pos\cell neg\cell\row{\*\x y}{\v h}\bin3 abc}",
    ),
    "forms": (
        b"Left breast: pT1c, 2.3 cm.\nER: positive, 95 %. No invasion.\fLeft breast: pT2, 23 mm.\nER: negative, 0 %. Invasion.",
        b"A\n1. no tumor seen in A1-A3 (0/3)\fA\n1) tumor in A1-A3 (2/3)",
    ),
    "sheets": (
        b"St. Mary's\nPage 1 of 3\nThe tumor measures\n-1-\fSt. Mary's\nPage 2 of 3\n2.3 cm and is\n-2-\fSt. Mary's\nPage 3 of 3\nhigh.",
    ),
    "charset": (
        "text/plain; charset=iso-8859-1\nGröße 2,3 cm – Müller".encode("cp1252"),
        "text/html\n<meta charset=utf-8><p>Größe".encode(),
        b"text/plain\n" + "Größe".encode("utf-16"),
        b"application/xml\n<?xml version='1.0' encoding='utf-16'?><text/>",
    ),
    "attachment": (
        b"\n5\ntext/plain; charset=utf-8\naGVsbG8=",
        b"qvTGHdzF6KLavt4PO0gs2a6pQ00=\n\ntext/plain\naGVs\r\nbG8=",
    ),
    "message": (
        _REPORT,
        _REPORT.replace(b'"presentedForm"', b'"conclusion":"pT2","contained":[],"x"'),
        b'{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:x","resource":' + _REPORT + b"}]}",
        _REPORT.replace(b"text/plain", b"text/html").replace(b"TGVmdCBicmVhc3Q=", base64.b64encode(_TABLE)),
    ),
}


def _picture(image: object, kind: str, **more: object) -> bytes:
    target = io.BytesIO()
    image.save(target, format=kind, **more)  # type: ignore[attr-defined]
    return target.getvalue()


def _text(data: bytes) -> str:
    """What `charsets` may hand on: no zeros, no halves of characters."""
    return data.decode("utf-8", "ignore").replace("\0", "")


def _check_text(text: str, source_length: int) -> None:
    """A text can be written as UTF-8 and is no bomb."""
    text.encode()
    assert len(text) <= GROWTH * source_length + 1000, "the text is far longer than its source"


@cache
def _attachments() -> "object":
    from gateway.documents.attachments import Attachments
    from schemas.settings import Settings

    return Attachments(Settings())


@cache
def _intake() -> "object":
    from gateway.intake import Intake
    from schemas.settings import IntakeSettings, Settings

    return Intake(Settings(intake=IntakeSettings(pdf_seconds=5)))


def _fuzz(target: str, arguments: list[str]) -> None:
    """One round of libFuzzer in this process; ends it."""
    import atheris
    import structlog

    structlog.configure(processors=[], logger_factory=lambda *_: structlog.testing.CapturingLogger())
    with atheris.instrument_imports(include=["gateway"]):
        for data in seeds(target):
            _once(TARGETS[target], data)
    atheris.Setup([target, *arguments], lambda data: _once(TARGETS[target], data))
    atheris.Fuzz()


def _once(read: Target, data: bytes) -> None:
    """Read once; a numbered reject is an end as good as a text."""
    try:
        read(data)
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise
    except MemoryError:
        return


def _rounds(target: str, folder: Path, minutes: float) -> tuple[int, float, Counter[str]]:
    """Runs, minutes and findings of rounds until the time is over."""
    corpus, found = folder / "corpus", folder / "found"
    for path in (corpus, found):
        path.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed{number}").write_bytes(data)
    dictionary = folder / "words.txt"
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in _WORDS[target].split())
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
    before, runs, began = set(found.iterdir()), 0, time.monotonic()
    while (left := minutes * 60 - (time.monotonic() - began)) > 1:
        command = [
            sys.executable,
            "-m",
            "benchmarks.fuzz_documents",
            target,
            "--round",
            str(corpus),
            f"-dict={dictionary}",
        ]
        command += [f"-artifact_prefix={found}/", f"-max_total_time={int(left)}", f"-timeout={SECONDS_FOR_ONE}"]
        command += [f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1", "-max_len=20000", "-verbosity=1"]
        with (folder / "log.txt").open("ab") as log:
            ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            log.write(ended.stderr[-20_000:])
        counts = re.findall(rb"number_of_executed_units:\s*(\d+)|^#(\d+)\s", ended.stderr, re.MULTILINE)
        runs += int(counts[-1][0] or counts[-1][1]) if counts else 0
        if not counts:
            break
    kinds = Counter(path.name.partition("-")[0] for path in set(found.iterdir()) - before)
    return runs, (time.monotonic() - began) / 60, kinds


def main() -> None:
    """Fuzz the targets that are named, one after the other."""
    if "--round" in sys.argv:
        at = sys.argv.index("--round")
        _fuzz(sys.argv[at - 1], sys.argv[at + 1 :])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="+", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()
    for target in options.target:
        runs, minutes, kinds = _rounds(target, options.corpus / target, options.minutes)
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
        print(f"{target}: {runs} runs in {minutes:.1f} min, found {said}", flush=True)


if __name__ == "__main__":
    main()
