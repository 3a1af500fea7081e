"""Pages whose sentences run on: headers and footers between the halves go, and stay everywhere else."""

from documents_made import pdf_of

from gateway.documents.page_layout import PageLayout, Run
from gateway.documents.reader import DocumentReader
from gateway.documents.running_lines import joined_pages
from schemas.settings import IntakeSettings

HEADER = ("University Hospital", "S24-17")


def text_of(*pages: str) -> str:
    """The pages joined."""
    return "".join(gap + page.text for gap, page in joined_pages([PageLayout(text) for text in pages]))


def test_a_sentence_goes_on_over_header_and_footer() -> None:
    """Whatever the number of the page; the first header and the last footer stay."""
    pages = [("tumor of the left breast measures", 1), ("2.3 cm, grade 2. Estrogen receptor is", 2), ("positive.", 3)]
    texts = ["\n".join((*HEADER, "", body, "", f"Page {number} of 3")) for body, number in pages]
    assert text_of(*texts).split("\n") == [
        *HEADER,
        "",
        "tumor of the left breast measures",
        "2.3 cm, grade 2. Estrogen receptor is",
        "positive.",
        "",
        "Page 3 of 3",
    ]


def test_a_heading_that_comes_again_holds_for_what_follows() -> None:
    """Only within a sentence does a line go: LEFT BREAST over the second page is no page's header."""
    pages = ("LEFT BREAST:\npT2 pN0.\nRIGHT BREAST:\npT1c pN0.", "LEFT BREAST:\nER positive.")
    assert text_of(*pages) == "\n\n".join(pages)
    assert (
        text_of("LEFT BREAST:\ntumor is", "RIGHT BREAST:\nbenign") == "LEFT BREAST:\ntumor is\n\nRIGHT BREAST:\nbenign"
    )


def test_what_is_kept_stays_where_it_stands_on_the_page() -> None:
    """Runs go with their lines and move with their text."""
    first = PageLayout("Lab\ntumor is", (Run(0, 3, 0, 0, 30, 10), Run(4, 12, 0, 20, 80, 30)))
    second = PageLayout("Lab\nlarge", (Run(0, 3, 0, 0, 30, 10), Run(4, 9, 0, 20, 50, 30)))
    (_, one), (gap, two) = joined_pages([first, second])
    assert (gap, one, two) == ("\n", first, PageLayout("large", (Run(0, 5, 0, 20, 50, 30),)))


def test_spans_of_pages_fit_the_joined_text() -> None:
    """Read from a PDF, every page's span holds what is left of it."""
    reader = DocumentReader(IntakeSettings())
    read = reader.read(pdf_of((*HEADER, "The tumor is"), (*HEADER, "invasive.")), "application/pdf")
    reader.close()
    assert [read.text[page.start : page.end] for page in read.pages] == [
        "University Hospital\nS24-17\nThe tumor is",
        "invasive.",
    ]
