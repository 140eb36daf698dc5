"""The pages of help as a terminal shows them."""

from __future__ import annotations

import pytest

from safepip.verbs.markdown import CODE, HEADING, ITEM, PARAGRAPH, TABLE, blocks, rendered

PAGE = """\
# Title

Words that
go on.
- one, which
  is long
- two
1. three

| a | b |
|---|---|
| `x y` | z |

```bash
run  this

# and that
```
"""


def test_a_page_is_read_block_by_block():
    assert list(blocks(PAGE)) == [
        (HEADING, ["# Title"]),
        (PARAGRAPH, ["Words that", "go on."]),
        (ITEM, ["- one, which", "  is long"]),
        (ITEM, ["- two"]),
        (ITEM, ["1. three"]),
        (TABLE, ["| a | b |", "|---|---|", "| `x y` | z |"]),
        (CODE, ["bash", "run  this", "", "# and that"]),
    ]


def test_plain_text_is_indented_below_its_heading():
    assert rendered(PAGE, 80, colour=False).splitlines() == [
        "Title", "",
        "  Words that go on.", "",
        "  - one, which is long", "  - two", "  1. three", "",
        "  a      b", "  -----  -", "  `x y`  z", "",
        "      run  this", "", "      # and that",
    ]  # fmt: skip


@pytest.mark.parametrize("colour", [False, True])
def test_code_is_not_broken_into_lines(colour):
    text = rendered("some words and `a command` and [other-page](other-page.md)", 20, colour=colour)
    plain = text.replace("\x1b[36m", "`").replace("\x1b[0m", "`")
    assert plain == "  some words and\n  `a command` and\n  `safepip help other-page`\n"


def test_columns_of_a_table_are_wrapped_until_it_fits():
    table = "| key | what it does |\n|---|---|\n| `long-key-name` | one two three four five |\n"
    assert rendered(table, 34, colour=False).splitlines() == [
        "  key              what it does",
        "  ---------------  ---------------",
        "  `long-key-name`  one two three",
        "                   four five",
    ]


def test_bold_text_and_links_to_elsewhere():
    assert rendered("**now** see [here](https://a/b)", 80, colour=False) == "  now see here <https://a/b>\n"
    assert rendered("a [way](make.md)", 80, colour=False) == "  a way (`safepip help make`)\n"
