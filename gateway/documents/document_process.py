"""The subprocess that opens documents whose readers a hostile file could exhaust: PDF, HTML, XML and RTF.

Run only through `LimitedProcess`. Deeply nested HTML costs its parser quadratic time, so it is read here too.
"""

from gateway.documents.cda_text import xml_to_text
from gateway.documents.html_text import html_to_text
from gateway.documents.limited_process import Handler, Header, serve
from gateway.documents.ocr_process import frame_as_png
from gateway.documents.pdf_pages import read_pages, render_page
from gateway.documents.rtf_text import rtf_to_text


def prepare(_arguments: tuple[str, ...]) -> Handler:
    """Import the readers before the first request, so that its seconds are the document's own."""
    import pypdfium2  # noqa: F401
    import selectolax.lexbor  # noqa: F401
    import striprtf.striprtf  # noqa: F401

    return _handle


def _handle(header: Header, data: bytes) -> tuple[Header, bytes]:
    match header["operation"]:
        case "pdf":
            return {"pages": read_pages(data)}, b""
        case "render":
            picture, blank = render_page(data, header["page"])
            return {"blank": blank}, picture
        case "frame":
            return {}, frame_as_png(data, header["page"])
        case "html":
            return {}, html_to_text(data.decode()).encode()
        case "xml":
            return _read_xml(data)
        case _:
            return {}, rtf_to_text(data).encode()


def _read_xml(data: bytes) -> tuple[Header, bytes]:
    """The text and whom it names, or the document that is the body, with its contentType under "embedded"."""
    found = xml_to_text(data.decode())
    if found.embedded is not None:
        return {"people": found.people, "embedded": found.content_type}, found.embedded
    return {"people": found.people}, found.text.encode()


if __name__ == "__main__":
    serve(prepare)
