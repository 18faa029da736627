"""Writes a File as C++20 structures with the same bytes on the wire (message.h).

A required entry is a plain member, an optional one std::optional, an array
std::vector. Only an array may lead back to its own structure.
"""

import re

from grammar import RpcError

TYPES = {
    "string": "std::string",
    "int": "std::uint32_t",
    "int64": "std::uint64_t",
    "bytes": "std::string",
}
_CPP_KEYWORDS = set(
    "alignas alignof and asm bool catch char8_t class co_await co_return co_yield "
    "concept consteval constexpr constinit const_cast decltype delete dynamic_cast "
    "explicit export false friend mutable namespace new noexcept not nullptr operator "
    "or private protected public reinterpret_cast requires static_assert static_cast "
    "template this thread_local throw true try typeid typename using virtual wchar_t "
    "xor Marshal Unmarshal".split()
)


def guard(path):
    return re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"


def _reaches(by_name, start, end):
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name == end:
            return True
        if name not in seen and name in by_name:
            seen.add(name)
            todo += [e.other for e in by_name[name].entries if e.other]
    return False


def _value_type(e):
    if e.kind == "struct":
        return e.other
    if e.length:
        return f"std::array<std::uint8_t, {e.length}>"
    return TYPES[e.kind]


def _check(file, by_name):
    for s in file.structs:
        for name, line in [(s.name, s.line)] + [(e.name, e.line) for e in s.entries]:
            if name in _CPP_KEYWORDS:
                raise RpcError(file.path, line, "expected a name that C++ leaves free, "
                               f"not {name}")
        for e in s.entries:
            if e.kind != "struct":
                continue
            if e.other not in by_name:
                raise RpcError(file.path, e.line,
                               f"expected a structure of this file, not {e.other}: C++ "
                               "is written for one file alone")
            if not e.array and _reaches(by_name, e.other, s.name):
                raise RpcError(file.path, e.line,
                               f"expected an array for {e.name}: a member cannot hold "
                               "its own structure")


def _ordered(file):
    """The structures, each after those that its members need to be complete."""
    by_name = {s.name: s for s in file.structs}
    out = []

    def visit(s):
        if s in out:
            return
        for e in s.entries:
            if e.kind == "struct" and not e.array:
                visit(by_name[e.other])
        out.append(s)

    for s in file.structs:
        visit(s)
    return out


def header(file, path, namespace, command):
    by_name = {s.name: s for s in file.structs}
    _check(file, by_name)
    out = [f"// Generated from {file.path} by {command}; do not edit.",
           f"#ifndef {guard(path)}", f"#define {guard(path)}", "",
           "#include <array>", "#include <cstdint>", "#include <optional>",
           "#include <string>", "#include <string_view>", "#include <vector>", "",
           f"namespace {namespace} {{", ""]
    out += [f"struct {s.name};" for s in file.structs]
    for s in _ordered(file):
        out += ["", f"struct {s.name} {{"]
        for e in s.entries:
            value = _value_type(e)
            if e.array:
                out.append(f"  std::vector<{value}> {e.name};")
            elif e.optional:
                out.append(f"  std::optional<{value}> {e.name};")
            else:
                out.append(f"  {value} {e.name}{{}};")
        out += ["", "  std::string Marshal() const;",
                "  // False: not such a message; then `this` is partly set.",
                "  bool Unmarshal(std::string_view in, int depth = 0);",
                f"  bool operator==(const {s.name}& other) const;", "};"]
    out += ["", f"}}  // namespace {namespace}", "", f"#endif  // {guard(path)}"]
    return "\n".join(out) + "\n"


def implementation(file, header_name, namespace, command):
    out = [f"// Generated from {file.path} by {command}; do not edit.",
           f'#include "{header_name}"', "",
           '#include "percore/proto/rpc/message/message.h"', "",
           f"namespace {namespace} {{"]
    for s in file.structs:
        out += ["", f"std::string {s.name}::Marshal() const {{",
                "  using percore::rpc::Append;", "  std::string out;"]
        for e in s.entries:
            if e.array:
                out.append(f"  for (const auto& v : {e.name}) Append(&out, {e.tag}u, v);")
            elif e.optional:
                out.append(f"  if ({e.name}) Append(&out, {e.tag}u, *{e.name});")
            else:
                out.append(f"  Append(&out, {e.tag}u, {e.name});")
        required = [e for e in s.entries if not e.optional and not e.array]
        out += ["  return out;", "}", "",
                f"bool {s.name}::Unmarshal(std::string_view in, int depth) {{",
                "  using percore::rpc::Read;",
                "  if (depth >= percore::rpc::kMaxDepth) return false;",
                f"  *this = {s.name}();"]
        out += [f"  bool has_{e.name} = false;" for e in required]
        out += ["  while (!in.empty()) {", "    percore::rpc::Element e;",
                "    if (!percore::rpc::Next(&in, &e)) return false;",
                "    switch (e.tag) {"]
        for e in s.entries:
            out.append(f"      case {e.tag}u:")
            if e.array:
                target = f"&this->{e.name}.emplace_back()"
            elif e.optional:
                out.append(f"        if (this->{e.name}) return false;")
                target = f"&this->{e.name}.emplace()"
            else:
                out += [f"        if (has_{e.name}) return false;",
                        f"        has_{e.name} = true;"]
                target = f"&this->{e.name}"
            out += [f"        if (!Read(e.payload, depth, {target})) return false;",
                    "        break;"]
        whole = " && ".join(f"has_{e.name}" for e in required) or "true"
        out += ["      default:", "        return false;", "    }", "  }",
                f"  return {whole};", "}", "",
                f"bool {s.name}::operator==(const {s.name}& other) const = default;"]
    out += ["", f"}}  // namespace {namespace}"]
    return "\n".join(out) + "\n"
