"""Reads a QR code back from its drawing, by the standard (ISO/IEC 18004) and not by the library that drew it.

Whole codes only: nothing is corrected. Error correction level M, versions 1 to 9, which is more than a payment code
ever needs.
"""

import re

ALIGNED = {
    1: [], 2: [6, 18], 3: [6, 22], 4: [6, 26], 5: [6, 30], 6: [6, 34], 7: [6, 22, 38], 8: [6, 24, 42], 9: [6, 26, 46],
}  # fmt: skip
# Data codewords of each block at level M.
BLOCKS = {
    1: [16], 2: [28], 3: [44], 4: [32] * 2, 5: [43] * 2, 6: [27] * 4, 7: [31] * 4, 8: [38] * 2 + [39] * 2,
    9: [36] * 3 + [37] * 2,
}  # fmt: skip
MASKS = [
    lambda row, column: (row + column) % 2 == 0,
    lambda row, column: row % 2 == 0,
    lambda row, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
]
LEVEL_M = 0b00


def read_code(svg: str) -> str:
    """The text of the code in a drawing."""
    dark = set(_dark_modules(svg))
    whole = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])
    margin = min(row for row, _column in dark)
    assert margin == min(column for _row, column in dark) == 4, "scanners need four modules of white around"
    size = whole - 2 * margin
    grid = [[(row + margin, column + margin) in dark for column in range(size)] for row in range(size)]
    level, mask = _format(grid)
    assert level == LEVEL_M
    version = (size - 17) // 4
    words = _codewords(grid, version, MASKS[mask])
    return _bytes(_data(words, BLOCKS[version]), version).decode()


def _dark_modules(svg: str):
    """Row and column of each: horizontal strokes along the middle of the modules, and moves between them."""
    column = row = 0
    path = re.search(r'stroke="#000" d="([^"]+)"', svg)[1]
    for move, x, y in re.findall(r"([Mmh])(-?\d+)(?: (-?\d+)(?:\.5)?)?", path):
        if move == "h":
            yield from ((row, column + step) for step in range(int(x)))
            column += int(x)
        elif move == "m":
            column, row = column + int(x), row + int(y)
        else:
            column, row = int(x), int(y)


def _format(grid):
    """Level of error correction and number of the mask, from around the finder in the upper left."""
    places = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
    bits = 0
    for row, column in places:
        bits = bits << 1 | grid[row][column]
    bits ^= 0b101010000010010
    return bits >> 13, bits >> 10 & 0b111


def _is_pattern(row, column, size, version):
    """Whether a module is part of a finder, of timing, alignment, format or version, and so carries no data."""
    at_finder = (row < 9 and (column < 9 or column >= size - 8)) or (row >= size - 8 and column < 9)
    at_version = version >= 7 and ((row < 6 and column >= size - 11) or (column < 6 and row >= size - 11))
    return at_finder or at_version or 6 in (row, column) or _is_aligned(row, column, version)


def _is_aligned(row, column, version):
    centers = ALIGNED[version]
    last = centers[-1] if centers else 0
    corners = {(6, 6), (6, last), (last, 6)}
    return any(
        abs(row - down) <= 2 and abs(column - right) <= 2
        for down in centers
        for right in centers
        if (down, right) not in corners
    )


def _codewords(grid, version, mask):
    """Two columns at a time from the right, up and down in turn, the timing column left out."""
    size, bits, up = len(grid), [], True
    for right in [column for column in range(size - 1, 0, -2) if column > 6] + [5, 3, 1]:
        for row in range(size - 1, -1, -1) if up else range(size):
            bits += [
                grid[row][column] ^ mask(row, column)
                for column in (right, right - 1)
                if not _is_pattern(row, column, size, version)
            ]
        up = not up
    return [int("".join(str(int(bit)) for bit in bits[at : at + 8]), 2) for at in range(0, len(bits) - 7, 8)]


def _data(words, blocks):
    """The blocks' data, which is stored one codeword of each block in turn."""
    parts, at = [[] for _block in blocks], 0
    for index in range(max(blocks)):
        for part, length in zip(parts, blocks, strict=True):
            if index < length:
                part.append(words[at])
                at += 1
    return [word for part in parts for word in part]


def _bytes(data, version):
    bits = "".join(f"{word:08b}" for word in data)
    assert bits[:4] == "0100", "one segment of bytes"
    count = 8 if version < 10 else 16
    length = int(bits[4 : 4 + count], 2)
    start = 4 + count
    return bytes(int(bits[start + 8 * index : start + 8 * index + 8], 2) for index in range(length))
