"""The grammar of .rpc files: reads one into a File, or says what is wrong where.

    #include "other.h"           copied to the .c; also #if, #ifdef, #else, #endif
    #define LIMIT 5              copied to the .h
    struct NAME {
      [optional|array] TYPE NAME[LENGTH] = TAG;
    }

TYPE is string, int, int64, bytes (of a fixed length with [LENGTH], else of any)
or struct[OTHER]. TAG is decimal or 0x hexadecimal, and of one entry of a
structure only. Comments as in C and C++.
"""

import dataclasses
import re

MAX_TAG = 0xFFFFFFFF
MAX_FIXED_LENGTH = 1 << 20

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_STRUCT = re.compile(rf"struct\s+({_NAME})\s*\{{$")
_ENTRY = re.compile(
    rf"(?P<words>(?:[A-Za-z0-9_]+\s+)*?)"
    rf"(?P<type>{_NAME}(?:\s*\[\s*{_NAME}\s*\])?)\s+"
    rf"(?P<name>{_NAME})\s*(?:\[(?P<length>[^\]]*)\])?\s*=\s*(?P<tag>\S+?)\s*;$"
)
_TYPE = re.compile(rf"({_NAME})(?:\s*\[\s*({_NAME})\s*\])?$")
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]+|[0-9]+)$")
_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for "
    "goto if inline int long register restrict return short signed sizeof static struct "
    "switch typedef union unsigned void volatile while"
).split()

SCALARS = ("string", "int", "int64", "bytes")


class RpcError(Exception):
    """path:line: what was expected."""

    def __init__(self, path, line, message):
        super().__init__(f"{path}:{line}: {message}")


@dataclasses.dataclass
class Entry:
    name: str
    kind: str  # one of SCALARS, or "struct"
    other: str  # the structure's name, of kind "struct"
    length: int  # of fixed bytes; 0: any
    tag: int
    label: str  # "", "optional" or "array"
    line: int

    @property
    def optional(self):
        return self.label == "optional"

    @property
    def array(self):
        return self.label == "array"


@dataclasses.dataclass
class Struct:
    name: str
    line: int
    entries: list = dataclasses.field(default_factory=list)
    recursive: bool = False  # may hold one of itself, at some depth


@dataclasses.dataclass
class File:
    path: str
    c_lines: list = dataclasses.field(default_factory=list)
    h_lines: list = dataclasses.field(default_factory=list)
    structs: list = dataclasses.field(default_factory=list)


def _number(text):
    if not _NUMBER.match(text or ""):
        return None
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _uncommented(path, text):
    """Lines of `text` without comments, with their numbers."""
    out = []
    i, line, begun = 0, 1, 0
    while i < len(text):
        two = text[i : i + 2]
        if begun:
            if two == "*/":
                begun, i = 0, i + 2
                out.append(" ")
                continue
            if text[i] == "\n":
                out.append("\n")
        elif two == "/*":
            begun, i = line, i + 2
            continue
        elif two == "//":
            while i < len(text) and text[i] != "\n":
                i += 1
            continue
        elif text[i] == '"':
            end = re.compile(r'"[^"\n]*"?').match(text, i).end()
            out.append(text[i:end])
            i = end
            continue
        else:
            out.append(text[i])
        line += text[i] == "\n"
        i += 1
    if begun:
        raise RpcError(path, begun, "expected */ for the comment that begins here")
    return enumerate("".join(out).split("\n"), 1)


def _directive(file, number, line):
    word = re.match(r"#\s*([a-z]*)", line).group(1)
    if word == "define":
        file.h_lines.append(line)
    elif word == "include":
        if not re.match(r'#\s*include\s*("[^"]+"|<[^>]+>)$', line):
            raise RpcError(file.path, number, 'expected #include "FILE" or <FILE>')
        file.c_lines.append(line)
    elif word in ("if", "ifdef", "ifndef", "else", "elif", "endif"):
        file.c_lines.append(line)
    else:
        raise RpcError(
            file.path,
            number,
            f"expected #include, #define, #if, #ifdef or #endif, not #{word}",
        )


def _entry(file, struct, number, line):
    def fail(message):
        raise RpcError(file.path, number, message)

    match = _ENTRY.match(line)
    if not match:
        if not line.endswith(";"):
            fail(f"expected ';' at the end of an entry of {struct.name}: {line}")
        fail(f"expected '[optional|array] TYPE NAME[LENGTH] = TAG;', not: {line}")
    labels = match["words"].split()
    for label in labels:
        if label not in ("optional", "array"):
            fail(f"expected optional or array before the type, not {label}")
    if len(labels) > 1:
        fail(f"expected only one of optional and array, not: {' '.join(labels)}")
    kind, other = _TYPE.match(match["type"]).groups()
    if kind not in SCALARS + ("struct",):
        fail(f"expected string, int, int64, bytes or struct[OTHER], not {kind}")
    if (kind == "struct") != (other is not None):
        fail("expected the name of a structure: struct[OTHER]"
             if kind == "struct" else f"expected no [{other}] after {kind}")
    name = match["name"]
    if name in _KEYWORDS:
        fail(f"expected a name that is no keyword of C, not {name}")
    length = 0
    if match["length"] is not None:
        if kind != "bytes":
            fail(f"expected a length of bytes only, not of {kind}")
        length = _number(match["length"].strip())
        if not length or length > MAX_FIXED_LENGTH:
            fail(f"expected a length from 1 to {MAX_FIXED_LENGTH}, "
                 f"not {match['length']}")
    if kind == "bytes" and labels == ["array"]:
        fail("expected an array of string, int, int64 or struct, not of bytes")
    tag = _number(match["tag"])
    if tag is None or tag > MAX_TAG:
        fail(f"expected a tag, decimal or 0x hexadecimal, not {match['tag']}")
    for before in struct.entries:
        if before.tag == tag:
            fail(f"expected another tag than {tag}, which {before.name} of line "
                 f"{before.line} has")
        if before.name.upper() == name.upper():
            fail(f"expected another name than {name}, which line {before.line} has")
    label = labels[0] if labels else ""
    struct.entries.append(Entry(name, kind, other or "", length, tag, label, number))


def _finish(file):
    by_name = {struct.name: struct for struct in file.structs}
    for struct in file.structs:
        for entry in struct.entries:
            if entry.kind == "struct" and entry.other not in by_name:
                if not any("include" in line for line in file.c_lines):
                    raise RpcError(
                        file.path, entry.line,
                        f"expected a structure of this file, or an #include for "
                        f"struct {entry.other}")
        reached, todo = set(), [struct.name]
        while todo:
            for entry in by_name[todo.pop()].entries:
                if entry.other in by_name and entry.other not in reached:
                    reached.add(entry.other)
                    todo.append(entry.other)
        struct.recursive = struct.name in reached


def parse(path, text):
    file = File(path)
    struct = None
    number = 0
    for number, line in _uncommented(path, text):
        line = " ".join(line.split())
        if not line:
            continue
        if line.startswith("#"):
            if struct is not None:
                raise RpcError(path, number, f"expected an entry of {struct.name} or "
                               "'}', not a directive")
            _directive(file, number, line)
        elif struct is None:
            match = _STRUCT.match(line)
            if not match:
                raise RpcError(path, number, f"expected 'struct NAME {{', not: {line}")
            name = match.group(1)
            for before in file.structs:
                if before.name.upper() == name.upper():
                    raise RpcError(path, number, f"expected another name than {name}, "
                                   f"which line {before.line} has")
            if name in _KEYWORDS:
                raise RpcError(
                    path, number,
                    f"expected a name that is no keyword of C, not {name}")
            struct = Struct(name, number)
        elif line == "}":
            if not struct.entries:
                raise RpcError(path, number, f"expected an entry of {struct.name}")
            file.structs.append(struct)
            struct = None
        else:
            _entry(file, struct, number, line)
    if struct is not None:
        raise RpcError(path, number,
                       f"expected '}}' for struct {struct.name} of line {struct.line}")
    if not file.structs:
        raise RpcError(path, number, "expected at least one structure")
    _finish(file)
    return file
