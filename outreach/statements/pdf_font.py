"""Noto Sans SC (OFL, from its wheel) as a font of reportlab: subset and embedded, text stays text.

reportlab embeds TrueType outlines only; this class speaks its protocol for dynamic fonts (the attributes
that ReportLab's TTFont has) and writes a Type0 font with CIDFontType0C data (ISO 32000-1 section 9.7) and a
ToUnicode map, so that the text can be searched, copied and read aloud.
"""

import struct
import weakref
from collections.abc import Iterable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import pylopdf_fonts_zh_cn
from reportlab import rl_config
from reportlab.pdfbase import pdfdoc, pdfmetrics

from outreach.statements.cff import CffFont

FONT = "NotoSansSC"
_UNITS = 1000


class _Sfnt:
    """Tables of an OpenType file that are needed here."""

    def __init__(self, data: bytes) -> None:
        count = struct.unpack_from(">H", data, 4)[0]
        entries = (struct.unpack_from(">4sLLL", data, 12 + 16 * number) for number in range(count))
        self.tables = {tag.decode(): data[at : at + size] for tag, _, at, size in entries}

    def glyph_of(self) -> dict[int, int]:
        """Unicode to glyph (cmap format 12, platform Windows)."""
        table = self.tables["cmap"]
        for number in range(struct.unpack_from(">H", table, 2)[0]):
            platform, encoding, at = struct.unpack_from(">HHL", table, 4 + 8 * number)
            if (platform, encoding) == (3, 10):
                return _format_12(table, at)
        raise ValueError("the font has no full Unicode map")

    def widths(self) -> list[int]:
        """Advance of every glyph."""
        long = struct.unpack_from(">H", self.tables["hhea"], 34)[0]
        glyphs = struct.unpack_from(">H", self.tables["maxp"], 4)[0]
        found = [struct.unpack_from(">H", self.tables["hmtx"], 4 * number)[0] for number in range(long)]
        return found + [found[-1]] * (glyphs - long)


def _format_12(table: bytes, at: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for number in range(struct.unpack_from(">L", table, at + 12)[0]):
        first, last, glyph = struct.unpack_from(">LLL", table, at + 16 + 12 * number)
        found.update((code, glyph + code - first) for code in range(first, last + 1))
    return found


class _CffReportlabFont:
    """The protocol of a dynamic font: splitString, getSubsetInternalName, addObjects, stringWidth."""

    _dynamicFont = 1
    _multiByte = 1
    shapable = False
    substitutionFonts: tuple[Any, ...] = ()

    def __init__(self, data: bytes) -> None:
        sfnt = _Sfnt(data)
        self.fontName = self.encName = FONT
        self._cff = CffFont(sfnt.tables["CFF "])
        self._glyph_of: Mapping[int, int] = sfnt.glyph_of()
        self._widths = sfnt.widths()
        self._box = struct.unpack_from(">hhhh", sfnt.tables["head"], 36)
        self.ascent, self.descent = struct.unpack_from(">hh", sfnt.tables["hhea"], 4)
        self.face = SimpleNamespace(name=FONT, ascent=self.ascent, descent=self.descent, builtIn=0)
        self._used: weakref.WeakKeyDictionary[Any, dict[int, int]] = weakref.WeakKeyDictionary()
        self._codes: dict[int, bytes] = {}

    def stringWidth(self, text: str, size: float, encoding: str = "utf8") -> float:
        """Width of a text in points."""
        glyph_of, widths = self._glyph_of, self._widths
        return sum(widths[glyph_of.get(ord(character), 0)] for character in text) * size / _UNITS

    def splitString(self, text: str, doc: Any, encoding: str = "utf-8") -> list[tuple[int, bytes]]:
        """The text as two-byte glyph numbers; notes which glyphs the document uses."""
        used = self._used.setdefault(doc, {0: 0})
        glyph_of = self._glyph_of
        glyphs = []
        for character in text:
            glyph = glyph_of.get(ord(character), 0)
            used.setdefault(glyph, ord(character))
            glyphs.append(glyph)
        return [(0, struct.pack(f">{len(glyphs)}H", *glyphs))]

    def getSubsetInternalName(self, subset: int, doc: Any) -> str:
        """The name of the font inside the document."""
        if self not in doc.delayedFonts:
            doc.delayedFonts.append(self)
        doc.fontMapping[FONT] = "/F0S"
        return "/F0S"

    def addObjects(self, doc: Any) -> None:
        """Write font, descendant, descriptor, outlines and ToUnicode map of the used glyphs."""
        used = self._used.pop(doc, {0: 0})
        glyphs = sorted(used)
        name = f"{_tag(glyphs)}+{FONT}"
        outlines = _stream(doc, self._cff.subset(glyphs, name), Subtype=pdfdoc.PDFName("CIDFontType0C"))
        descriptor = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("FontDescriptor"), "FontName": pdfdoc.PDFName(name), "Flags": 4,
            "FontBBox": pdfdoc.PDFArray(self._box), "ItalicAngle": 0, "Ascent": self.ascent,
            "Descent": self.descent, "CapHeight": 733, "StemV": 78, "FontFile3": doc.Reference(outlines),
        })  # fmt: skip
        descendant = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("Font"), "Subtype": pdfdoc.PDFName("CIDFontType0"),
            "BaseFont": pdfdoc.PDFName(name), "FontDescriptor": doc.Reference(descriptor), "DW": _UNITS,
            "CIDSystemInfo": pdfdoc.PDFDictionary({
                "Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"),
                "Supplement": 0,
            }),
            "W": pdfdoc.PDFArray(self._width_array(glyphs)),
        })  # fmt: skip
        whole = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("Font"), "Subtype": pdfdoc.PDFName("Type0"),
            "BaseFont": pdfdoc.PDFName(name),
            "Encoding": pdfdoc.PDFName("Identity-H"),
            "DescendantFonts": pdfdoc.PDFArray([doc.Reference(descendant)]),
            "ToUnicode": doc.Reference(_stream(doc, _to_unicode(used).encode("ascii"))),
        })  # fmt: skip
        doc.idToObject["BasicFonts"].dict["F0S"] = doc.Reference(whole, "F0S")

    def _width_array(self, glyphs: Iterable[int]) -> list[Any]:
        parts: list[Any] = []
        for glyph in glyphs:
            if self._widths[glyph] != _UNITS:
                parts += [glyph, pdfdoc.PDFArray([self._widths[glyph]])]
        return parts


def _stream(doc: Any, content: bytes, **entries: Any) -> Any:
    stream = pdfdoc.PDFStream(dictionary=pdfdoc.PDFDictionary(entries), content=content)
    stream.filters = [pdfdoc.PDFZCompress]
    return stream


def _tag(glyphs: Iterable[int]) -> str:
    """Six letters that name the subset (ISO 32000-1 section 9.6.4)."""
    number = hash(tuple(glyphs)) & 0xFFFFFFFF
    return "".join(chr(65 + number // 26**place % 26) for place in range(6))


def _to_unicode(used: Mapping[int, int]) -> str:
    lines = [
        f"<{glyph:04x}> <{chr(code).encode('utf-16-be').hex()}>" for glyph, code in used.items() if glyph
    ]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{body}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )


@cache
def register_font() -> str:
    """Make the font known to reportlab, once per process; returns its name."""
    # Streams as bytes: base 85 is for mail of the nineties, larger and slow.
    rl_config.useA85 = 0
    pdfmetrics.registerFont(_CffReportlabFont(pylopdf_fonts_zh_cn.sans_path().read_bytes()))
    return FONT
