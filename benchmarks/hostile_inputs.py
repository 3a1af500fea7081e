"""Hostile documents, made in code."""


def sound_pdf(pages: int = 1) -> bytes:
    """A PDF with a text layer."""
    from fpdf import FPDF

    document = FPDF()
    document.set_font("Helvetica", size=11)
    for page in range(pages):
        document.add_page()
        document.cell(0, 6, f"Left breast, page {page + 1}: invasive ductal carcinoma, pT2 pN0, ER positive 90 %")
    return bytes(document.output())


def sound_scan() -> bytes:
    """A PDF whose page is a picture."""
    import io

    from fpdf import FPDF
    from PIL import Image

    target = io.BytesIO()
    Image.linear_gradient("L").resize((120, 160)).save(target, format="PNG")
    document = FPDF()
    document.add_page()
    document.image(io.BytesIO(target.getvalue()), x=0, y=0, w=210)
    return bytes(document.output())
