"""Small documents made on the spot: PDFs, scans and their faults."""

import io

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

LINES = (
    "FINAL DIAGNOSIS:",
    "Left breast, mastectomy: invasive ductal carcinoma",
    "Tumor size 2.3 cm, pT2 pN0",
)


def pdf_of(*pages: tuple[str, ...], password: str | None = None) -> bytes:
    """A PDF with a text layer, one line below the other."""
    document = FPDF()
    if password:
        document.set_encryption(owner_password=password + "!", user_password=password)
    document.set_font("Helvetica", size=11)
    for lines in pages:
        document.add_page()
        for line in lines:
            document.cell(0, 6, line)
            document.ln()
    return bytes(document.output())


def pdf_of_placed_words(lines: tuple[str, ...]) -> bytes:
    """A PDF that places each word by itself, last word first: no spaces and no order in the file."""
    document = FPDF()
    document.add_page()
    document.set_font("Helvetica", size=11)
    words = []
    for row, line in enumerate(lines):
        left = 20.0
        for word in line.split():
            words.append((left, 20 + 6 * row, word))
            left += document.get_string_width(word + " ")
    for left, top, word in reversed(words):
        document.text(left, top, word)
    return bytes(document.output())


def image_of(lines: tuple[str, ...], kind: str = "PNG", height: int = 300) -> bytes:
    """A scan: the lines as a picture."""
    image = Image.new("L", (1250, height), 255)
    drawing, font = ImageDraw.Draw(image), ImageFont.load_default(size=34)
    for row, line in enumerate(lines):
        drawing.text((40, 40 + 60 * row), line, font=font, fill=0)
    target = io.BytesIO()
    image.save(target, format=kind)
    return target.getvalue()


def pdf_of_scan(lines: tuple[str, ...], first_page: tuple[str, ...] = ()) -> bytes:
    """A PDF whose last page is only a picture, after a digital page if one is given."""
    document = FPDF()
    document.set_font("Helvetica", size=11)
    if first_page:
        document.add_page()
        for line in first_page:
            document.cell(0, 6, line)
            document.ln()
    document.add_page()
    document.image(io.BytesIO(image_of(lines, height=1000)), x=0, y=0, w=210)
    return bytes(document.output())


def pdf_bomb(side: int = 6000, count: int = 12) -> bytes:
    """A small PDF of nested forms, each drawing the one below many times: cheap to send, ruinous to walk."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>>>",
        _stream("", "/X Do"),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number in range(6, 6 + count):
        last = number == 5 + count
        content = f"BT /F 9 Tf 10 10 Td ({'x' * side}) Tj ET" if last else "/X Do " * 40
        inner = "" if last else f"/XObject<</X {number + 1} 0 R>>"
        header = f"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</Font<</F 5 0 R>>{inner}>>"
        objects.append(_stream(header, content))
    return pdf_of_objects(*objects)


def pdf_of_objects(*objects: str) -> bytes:
    """A PDF written by hand: numbered objects, the first of them the catalogue."""
    body = "%PDF-1.5\n" + "".join(f"{at} 0 obj\n{item}\nendobj\n" for at, item in enumerate(objects, start=1))
    return (body + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n%%EOF").encode()


def _stream(header: str, content: str) -> str:
    return f"<<{header}/Length {len(content)}>>\nstream\n{content}\nendstream"


def pdf_drawn(content: str, catalog: str = "", resources: str = "") -> bytes:
    """A PDF of one page that is drawn by these operators; its font is F."""
    return pdf_of_objects(
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>{resources}>>>>",
        _stream("", content),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Type/OCG/Name(layer)>>",
    )
