"""Rows of tables as lines of text: labels of columns by their values, and cells side by side."""

CELL_GAP = "  "
LONGEST_LABEL = 60
"""Characters of a label, or of a line that stands beside another."""


def labelled(label: str, text: str) -> str:
    """A value behind its label, with one colon between them."""
    return f"{label}{'' if label.endswith(':') else ':'} {text}" if label else text


def are_labels(cells: list[str]) -> bool:
    """Whether a row of header cells can label the columns below it: several cells, none of them a passage of text."""
    return sum(map(bool, cells)) > 1 and all("\n" not in cell and len(cell) <= LONGEST_LABEL for cell in cells)


def row_text(cells: list[str]) -> str:
    """The cells of a row that have text: on one line, or line beside line where all have as many short ones.

    So "ER", "PR" in one cell stand by "positive", "negative" in the next. Else a cell of several lines ends its line.
    """
    lines = [cell.split("\n") for cell in cells if cell]
    if _are_side_by_side(lines):
        return "\n".join(CELL_GAP.join(filter(None, beside)) for beside in zip(*lines, strict=True))
    gaps = ["\n" if len(cell) > 1 else CELL_GAP for cell in lines]
    return "".join("\n".join(cell) + gap for cell, gap in zip(lines, [*gaps[:-1], ""], strict=False))


def _are_side_by_side(cells: list[list[str]]) -> bool:
    """Whether cells continue each other line by line; those that begin lines alike ("ER: ...") each stand for themselves."""
    if len({len(lines) for lines in cells}) != 1:
        return False
    if any(len(line) > LONGEST_LABEL or CELL_GAP in line for lines in cells for line in lines):
        return False
    beginnings = [{line.split()[0] for line in lines if line.strip()} for lines in cells]
    return len(set().union(*beginnings)) == sum(map(len, beginnings))
