"""XML in and out (protocol section 10). Only the root carries a namespace, and what comes in may carry any:
names are read without it. No document type, no entities, bounded size and depth.
"""

import re
from dataclasses import dataclass, field
from html import escape
from xml.parsers import expat

from channels.cards import ContentError

MOST_BYTES = 1 << 20
_MOST_DEPTH = 16
_MOST_NODES = 20_000
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlInvalid(Exception):
    """A document that is no XML, or more than anybody needs."""


@dataclass(slots=True)
class Node:
    """An element: its name without prefix, its own text, its attributes and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> list["Node"]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> "Node | None":
        """The first element of a name at any depth."""
        for child in self.children:
            found = child if child.name == name else child.find(name)
            if found is not None:
                return found
        return None

    def value(self, name: str) -> str:
        """The text of the first child of a name, without the blanks around it; empty if there is none."""
        return next((child.text.strip() for child in self.children if child.name == name), "")


class _Reader:
    def __init__(self) -> None:
        self.top = Node("")
        self._open = [self.top]
        self._nodes = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._nodes += 1
        if len(self._open) > _MOST_DEPTH or self._nodes > _MOST_NODES:
            raise XmlInvalid("too many elements")
        node = Node(name.rpartition(":")[2], attributes)
        self._open[-1].children.append(node)
        self._open.append(node)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].text += data

    def refuse(self, *_declared: object) -> None:
        raise XmlInvalid("declares a document type")


def read_xml(body: bytes) -> Node:
    """The root element. Raises XmlInvalid."""
    if len(body) > MOST_BYTES:
        raise XmlInvalid("too long")
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError) as error:
        raise XmlInvalid("not XML") from error
    return reader.top.children[0]


def element(name: str, *inner: str) -> str:
    """An element around what is already XML."""
    return f"<{name}>{''.join(inner)}</{name}>"


def leaf(name: str, text: str) -> str:
    """An element with a text. Raises ContentError if XML cannot carry it."""
    return f"<{name}>{escape(_checked(text))}</{name}>"


def cdata(name: str, text: str) -> str:
    """An element with a text as CDATA. Raises ContentError if XML cannot carry it."""
    inner = _checked(text).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{inner}]]></{name}>"


def _checked(text: str) -> str:
    if _NOT_XML.search(text):
        raise ContentError("text_not_xml")
    return text
