"""What constraints are worth: a small run of every arm, and its page."""

import pytest

from benchmarks import constraints


@pytest.mark.slow
def test_every_arm_is_on_the_page_and_enforcing_leaves_none(tmp_path, capsys):
    arguments = ["--rows", "150", "--codes", "12", "--seeds", "0", "--total-records", "64"]
    arguments += ["--counted", "400", "--docs", str(tmp_path)]
    assert constraints.main(arguments) == 0
    page = (tmp_path / "constraints.md").read_text(encoding="utf-8")
    assert "--rows 150 --codes 12 --seeds 0`" in page
    shares = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in (*constraints.ARMS, constraints.ENFORCED):
            shares[cells[0]] = float(cells[1])
    assert list(shares) == [*constraints.ARMS, constraints.ENFORCED]
    assert shares[constraints.ENFORCED] == 0
    assert shares[constraints.NO_RULES] > 0


def test_too_few_codes_are_an_error(capsys):
    assert constraints.main(["--codes", "3"]) == 2
    assert "10 codes or more" in capsys.readouterr().err
