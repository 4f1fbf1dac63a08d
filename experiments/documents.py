"""Documents whose results a command fills in."""

from pathlib import Path

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"


def fill_in(document: Path, text: str) -> None:
    """Put results into a document, between its marks."""
    old = document.read_text(encoding="utf-8")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
