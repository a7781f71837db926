"""Codes that are put together from patterns: the same as those of the usual way, module by module."""

import hashlib
import re

import pytest
import segno

from outreach.web.public_qr import QrPath, check_codes, draw_code, qr_path

ADDRESS = "https://12366.example.gov.cn/check?d="
DIGESTS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(8)]
EDGES = ["0" * 64, "9" * 64, "a" * 64, "f" * 64, "0123456789abcdef" * 4]


def painted(code: QrPath) -> list[list[int]]:
    """The modules inside the quiet zone that a path fills; it only moves, draws runs and closes them."""
    grid = [[0] * code.size for _ in range(code.size)]
    x = y = 0
    for absolute, relative, run in re.findall(r"M(\d+ \d+)|m(\d+ \d+)|h(\d+)v1h-\d+z", code.path):
        if absolute:
            x, y = map(int, absolute.split())
        elif relative:
            right, down = map(int, relative.split())
            x, y = x + right, y + down
        else:
            grid[y][x : x + int(run)] = [1] * int(run)
    assert not any(grid[0]) and not any(row[0] for row in grid)
    return [row[4:-4] for row in grid[4:-4]]


@pytest.mark.parametrize("digits", [*DIGESTS, *EDGES])
def test_a_code_is_that_of_the_whole_address(digits: str) -> None:
    wanted = [list(map(int, row)) for row in segno.make_qr(ADDRESS + digits, error="m", mask=2).matrix]
    drawn = draw_code(check_codes(ADDRESS), digits)
    assert painted(drawn) == wanted
    assert drawn == qr_path(ADDRESS + digits)


def test_an_address_of_another_length() -> None:
    address = "http://t.cn/check?d="
    assert draw_code(check_codes(address), DIGESTS[0]) == qr_path(address + DIGESTS[0])
