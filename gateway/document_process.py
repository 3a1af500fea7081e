"""The subprocess that opens documents whose readers a hostile file could exhaust: PDF, HTML and RTF.

Run only through `LimitedProcess`. Deeply nested HTML costs its parser quadratic time, so it is read here too.
"""

from typing import Any

from gateway.html_text import html_to_text
from gateway.limited_process import Handler, Header, serve
from gateway.pdf_pages import read_pages, render_page


def prepare(_arguments: tuple[str, ...]) -> Handler:
    """Import the readers before the first request, so that its seconds are the document's own."""
    import pypdfium2  # noqa: F401
    import selectolax.lexbor  # noqa: F401

    return _handle


def _handle(header: Header, data: bytes) -> tuple[Header, bytes]:
    match header["operation"]:
        case "pdf":
            return {"pages": read_pages(data)}, b""
        case "render":
            return {}, render_page(data, header["page"])
        case "html":
            return {}, html_to_text(data.decode()).encode()
        case _:
            return {}, _rtf_to_text(data).encode()


def _rtf_to_text(data: bytes) -> str:
    from striprtf import striprtf

    reader: Any = striprtf
    text: str = reader.rtf_to_text(data.decode("latin-1"), errors="replace")
    return text.encode("utf-8", "replace").decode()


if __name__ == "__main__":
    serve(prepare)
