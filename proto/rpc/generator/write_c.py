"""Writes a File as libevent's generated C: accessors, marshalling, completeness."""

import re

SCALAR_TYPES = {"string": "char *", "int": "ev_uint32_t ", "int64": "ev_uint64_t "}
CODECS = {"string": "string", "int": "int", "int64": "int64"}

MAX_DEPTH = 100  # of structures that hold their own kind, when unmarshalled


def guard(path):
    return "EVENT_RPCOUT_" + re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"


def value_type(e):
    """The C type of one value, with what stands before a name."""
    if e.kind == "struct":
        return f"struct {e.other} *"
    return SCALAR_TYPES[e.kind]


def const_type(e):
    if e.kind == "int" or e.kind == "int64":
        return "const " + value_type(e)
    return "const " + value_type(e)


def signatures(s, e):
    """(what, return type, parameters) of the entry's accessors, in order."""
    me = f"struct {s.name} *msg"
    if e.array:
        add = "" if e.kind == "struct" else f", {const_type(e)}value"
        returned = value_type(e) if e.kind == "struct" else value_type(e).rstrip() + " *"
        return [
            ("assign", "int ", f"{me}, int off, {const_type(e)}value"),
            ("get", "int ", f"{me}, int off, {value_type(e)}*value"),
            ("add", returned, me + add),
        ]
    if e.kind == "bytes" and e.length:
        return [
            ("assign", "int ", f"{me}, const ev_uint8_t *value"),
            ("get", "int ", f"{me}, ev_uint8_t **value"),
        ]
    if e.kind == "bytes":
        return [
            ("assign", "int ", f"{me}, const ev_uint8_t *value, ev_uint32_t len"),
            ("get", "int ", f"{me}, ev_uint8_t **value, ev_uint32_t *len"),
        ]
    return [
        ("assign", "int ", f"{me}, {const_type(e)}value"),
        ("get", "int ", f"{me}, {value_type(e)}*value"),
    ]


def fields(e):
    n = e.name
    if e.array:
        pointer = value_type(e).rstrip()
        return [f"{pointer} *{n}_data;" if not pointer.endswith("*") else
                f"{pointer}*{n}_data;",
                f"int {n}_length;", f"int {n}_num_allocated;"]
    if e.kind == "bytes" and e.length:
        return [f"ev_uint8_t {n}_data[{e.length}];"]
    if e.kind == "bytes":
        return [f"ev_uint8_t *{n}_data;", f"ev_uint32_t {n}_length;"]
    return [f"{value_type(e)}{n}_data;"]


def tag_name(s, e):
    return f"{s.name}_{e.name}".upper()


def header(file, path, command):
    out = [
        "/*",
        f" * Generated from {file.path} by {command}; do not edit.",
        " */",
        f"#ifndef {guard(path)}",
        f"#define {guard(path)}",
        "",
        "#include <event2/util.h>",
        "#include <event2/rpc.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *file.h_lines,
        "struct evbuffer;",
    ]
    known = {s.name for s in file.structs}
    for s in file.structs:
        known.update(e.other for e in s.entries if e.other)
    out += [f"struct {name};" for name in sorted(known)]
    for s in file.structs:
        n = s.name
        out += ["", f"/* {n} */", f"enum {n}_ {{"]
        out += [f"  {tag_name(s, e)} = {c_tag(e)}," for e in s.entries]
        out += [f"  {n.upper()}_MAX_TAGS", "};", "", f"struct {n}_access_ {{"]
        for e in s.entries:
            for what, returned, parameters in signatures(s, e):
                out.append(f"  {returned}(*{e.name}_{what})({parameters});")
        out += ["};", "", f"struct {n} {{", f"  struct {n}_access_ *base;", ""]
        for e in s.entries:
            out += ["  " + line for line in fields(e)]
        out.append("")
        out += [f"  ev_uint8_t {e.name}_set;" for e in s.entries]
        out += [
            "};",
            "",
            f"struct {n} *{n}_new(void);",
            f"struct {n} *{n}_new_with_arg(void *);",
            f"void {n}_free(struct {n} *);",
            f"void {n}_clear(struct {n} *);",
            f"void {n}_marshal(struct evbuffer *, const struct {n} *);",
            f"int {n}_unmarshal(struct {n} *, struct evbuffer *);",
            f"int {n}_complete(struct {n} *);",
            f"void evtag_marshal_{n}(struct evbuffer *, ev_uint32_t,",
            f"    const struct {n} *);",
            f"int evtag_unmarshal_{n}(struct evbuffer *, ev_uint32_t,",
            f"    struct {n} *);",
        ]
        for e in s.entries:
            for what, returned, parameters in signatures(s, e):
                out.append(f"{returned}{n}_{e.name}_{what}({parameters});")
    out += ["", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard(path)} */"]
    return "\n".join(out) + "\n"


def c_tag(e):
    # An enumerator is an int in C; the larger tags keep their bits.
    return str(e.tag) if e.tag < 2**31 else f"(int)0x{e.tag:x}u"


def case_tag(s, e):
    return f"(ev_uint32_t){tag_name(s, e)}"


def release_value(e, place):
    if e.kind == "string":
        return [f"free({place});"]
    if e.kind == "struct":
        return [f"{e.other}_free({place});"]
    return []


def copy_struct(e, target, source):
    """Statements that make `target` a deep copy, or return -1."""
    return [
        f"if (rpc_copy_{e.other}(&{target}, {source}) == -1) return -1;",
    ]


def copiers(file):
    """A static deep copy for each structure that an entry holds."""
    out = []
    for name in sorted({e.other for s in file.structs for e in s.entries if e.other}):
        out += f"""
static int rpc_copy_{name}(struct {name} **target, const struct {name} *source) {{
  struct evbuffer *buf = evbuffer_new();
  struct {name} *copy = {name}_new();
  if (buf == NULL || copy == NULL) goto error;
  {name}_marshal(buf, source);
  if ({name}_unmarshal(copy, buf) == -1) {{
    event_warnx("%s: {name} is not complete", __func__);
    goto error;
  }}
  evbuffer_free(buf);
  if (*target != NULL) {name}_free(*target);
  *target = copy;
  return 0;
error:
  if (buf != NULL) evbuffer_free(buf);
  if (copy != NULL) {name}_free(copy);
  return -1;
}}""".split("\n")
    return out


def accessors(s, e):
    n, f = s.name, e.name
    sig = {what: f"{returned}{n}_{f}_{what}({parameters})"
           for what, returned, parameters in signatures(s, e)}
    if e.array:
        return array_accessors(s, e, sig)
    if e.kind == "bytes" and e.length:
        body = [f"  memcpy(msg->{f}_data, value, {e.length});"]
        get = [f"  *value = msg->{f}_data;"]
    elif e.kind == "bytes":
        body = [
            "  ev_uint8_t *copy = (ev_uint8_t *)malloc(len ? len : 1);",
            "  if (copy == NULL) return -1;",
            "  if (len != 0) memcpy(copy, value, len);",
            f"  free(msg->{f}_data);",
            f"  msg->{f}_data = copy;",
            f"  msg->{f}_length = len;",
        ]
        get = [f"  *value = msg->{f}_data;", f"  *len = msg->{f}_length;"]
    elif e.kind == "string":
        body = [
            "  char *copy = strdup(value);",
            "  if (copy == NULL) return -1;",
            f"  free(msg->{f}_data);",
            f"  msg->{f}_data = copy;",
        ]
        get = [f"  *value = msg->{f}_data;"]
    elif e.kind == "struct":
        body = ["  " + line for line in copy_struct(e, f"msg->{f}_data", "value")]
        get = [f"  *value = msg->{f}_data;"]
    else:
        body = [f"  msg->{f}_data = value;"]
        get = [f"  *value = msg->{f}_data;"]
    out = ["", sig["assign"] + " {", *body, f"  msg->{f}_set = 1;", "  return 0;", "}",
           "", sig["get"] + " {"]
    if e.kind == "struct":
        out += [
            f"  if (!msg->{f}_set) {{",
            f"    msg->{f}_data = {e.other}_new();",
            f"    if (msg->{f}_data == NULL) return -1;",
            f"    msg->{f}_set = 1;",
            "  }",
        ]
    else:
        out.append(f"  if (!msg->{f}_set) return -1;")
    return out + [*get, "  return 0;", "}"]


def array_accessors(s, e, sig):
    n, f = s.name, e.name
    slot = f"msg->{f}_data[msg->{f}_length]"
    element = value_type(e).rstrip()
    out = f"""
static int {n}_{f}_grow(struct {n} *msg) {{
  void *more;
  int want;
  if (msg->{f}_length < msg->{f}_num_allocated) return 0;
  if (msg->{f}_num_allocated > INT_MAX / 2) return -1;
  want = msg->{f}_num_allocated ? 2 * msg->{f}_num_allocated : 1;
  if ((size_t)want > (size_t)-1 / sizeof(*msg->{f}_data)) return -1;
  more = realloc(msg->{f}_data, want * sizeof(*msg->{f}_data));
  if (more == NULL) return -1;
  msg->{f}_data = ({element}*)more;
  msg->{f}_num_allocated = want;
  return 0;
}}

{sig["assign"]} {{
  if (!msg->{f}_set || off < 0 || off >= msg->{f}_length) return -1;""".split("\n")
    if e.kind == "string":
        out += ["  {", "    char *copy = strdup(value);",
                "    if (copy == NULL) return -1;", f"    free(msg->{f}_data[off]);",
                f"    msg->{f}_data[off] = copy;", "  }"]
        fill = [f"  {slot} = strdup(value);", f"  if ({slot} == NULL) return NULL;"]
    elif e.kind == "struct":
        out += ["  " + line for line in copy_struct(e, f"msg->{f}_data[off]", "value")]
        fill = [f"  {slot} = {e.other}_new();", f"  if ({slot} == NULL) return NULL;"]
    else:
        out += [f"  msg->{f}_data[off] = value;"]
        fill = [f"  {slot} = value;"]
    address = "" if e.kind == "struct" else "&"
    return out + [
        "  return 0;", "}", "", sig["get"] + " {",
        f"  if (!msg->{f}_set || off < 0 || off >= msg->{f}_length) return -1;",
        f"  *value = msg->{f}_data[off];", "  return 0;", "}", "", sig["add"] + " {",
        f"  if ({n}_{f}_grow(msg) == -1) return NULL;", *fill, f"  msg->{f}_set = 1;",
        f"  return {address}msg->{f}_data[msg->{f}_length++];", "}"]


def clearing(e):
    f = e.name
    if e.array:
        out = []
        release = release_value(e, f"msg->{f}_data[i]")
        if release:
            out = ["  {", "    int i;",
                   f"    for (i = 0; i < msg->{f}_length; ++i) {release[0]}", "  }"]
        return out + [f"  free(msg->{f}_data);", f"  msg->{f}_data = NULL;",
                      f"  msg->{f}_length = msg->{f}_num_allocated = 0;",
                      f"  msg->{f}_set = 0;"]
    if e.kind == "string" or (e.kind == "bytes" and not e.length):
        out = [f"  free(msg->{f}_data);", f"  msg->{f}_data = NULL;"]
        if e.kind == "bytes":
            out.append(f"  msg->{f}_length = 0;")
    elif e.kind == "struct":
        out = [f"  if (msg->{f}_data != NULL) {e.other}_free(msg->{f}_data);",
               f"  msg->{f}_data = NULL;"]
    elif e.kind == "bytes":
        out = [f"  memset(msg->{f}_data, 0, sizeof(msg->{f}_data));"]
    else:
        out = [f"  msg->{f}_data = 0;"]
    return out + [f"  msg->{f}_set = 0;"]


def marshalling(s, e):
    f, tag = e.name, case_tag(s, e)
    if e.kind == "struct":
        call = f"evtag_marshal_{e.other}(evbuf, {tag}, %s);"
    elif e.kind == "bytes":
        length = e.length or f"msg->{f}_length"
        call = f"evtag_marshal(evbuf, {tag}, %s, {length});"
    else:
        call = f"evtag_marshal_{CODECS[e.kind]}(evbuf, {tag}, %s);"
    if e.array:
        return [f"  if (msg->{f}_set) {{", "    int i;",
                f"    for (i = 0; i < msg->{f}_length; ++i) {{",
                "      " + call % f"msg->{f}_data[i]", "    }", "  }"]
    return [f"  if (msg->{f}_set) {call % f'msg->{f}_data'}"]


def unmarshalling(s, e):
    f, tag, n = e.name, case_tag(s, e), s.name
    out = [f"      case {tag}:"]
    if e.array:
        place = f"msg->{f}_data[msg->{f}_length]"
        out.append(f"        if ({n}_{f}_grow(msg) == -1) goto error;")
    else:
        place = f"msg->{f}_data"
        out.append(f"        if (msg->{f}_set) goto error;")
    if e.kind == "struct":
        out += [f"        {place} = {e.other}_new();",
                f"        if ({place} == NULL) goto error;",
                f"        if (evtag_unmarshal_{e.other}(evbuf, {tag}, {place}) == -1) {{",
                f"          {e.other}_free({place});",
                f"          {place} = NULL;", "          goto error;", "        }"]
    elif e.kind == "bytes" and not e.length:
        out += [f"        if (evtag_payload_length(evbuf, &msg->{f}_length) == -1 ||",
                f"            msg->{f}_length > evbuffer_get_length(evbuf)) {{",
                f"          msg->{f}_length = 0;", "          goto error;", "        }",
                f"        {place} = (ev_uint8_t *)malloc(",
                f"            msg->{f}_length ? msg->{f}_length : 1);",
                f"        if ({place} == NULL) goto error;",
                f"        if (evtag_unmarshal_fixed(evbuf, {tag}, {place},",
                f"                                  msg->{f}_length) == -1) {{",
                "          goto error;", "        }"]
    elif e.kind == "bytes":
        out += [f"        if (evtag_unmarshal_fixed(evbuf, {tag}, {place},",
                f"                                  sizeof({place})) == -1) {{",
                "          goto error;", "        }"]
    else:
        out += [f"        if (evtag_unmarshal_{CODECS[e.kind]}(evbuf, {tag},",
                f"                &{place}) == -1) {{", "          goto error;",
                "        }"]
    if e.array:
        out.append(f"        ++msg->{f}_length;")
    return out + [f"        msg->{f}_set = 1;", "        break;"]


def completeness(e):
    f = e.name
    if e.array:
        if e.kind != "struct":
            return []
        return ["  {", "    int i;", f"    for (i = 0; i < msg->{f}_length; ++i) {{",
                f"      if ({e.other}_complete(msg->{f}_data[i]) == -1) return -1;",
                "    }", "  }"]
    out = [] if e.optional else [f"  if (!msg->{f}_set) return -1;"]
    if e.kind == "struct":
        out += [f"  if (msg->{f}_set && {e.other}_complete(msg->{f}_data) == -1) {{",
                "    return -1;", "  }"]
    return out


def implementation_of(s):
    n = s.name
    out = ["", f"/* {n} */", "", f"static struct {n}_access_ {n}_base = {{"]
    for e in s.entries:
        out += [f"    {n}_{e.name}_{what}," for what, _, _ in signatures(s, e)]
    out += f"""}};

struct {n} *{n}_new(void) {{ return {n}_new_with_arg(NULL); }}

struct {n} *{n}_new_with_arg(void *unused) {{
  struct {n} *msg = (struct {n} *)calloc(1, sizeof(*msg));
  (void)unused;
  if (msg == NULL) {{
    event_warn("%s: calloc", __func__);
    return NULL;
  }}
  msg->base = &{n}_base;
  return msg;
}}

void {n}_free(struct {n} *msg) {{
  {n}_clear(msg);
  free(msg);
}}

void {n}_clear(struct {n} *msg) {{""".split("\n")
    for e in s.entries:
        out += clearing(e)
    out.append("}")
    for e in s.entries:
        out += accessors(s, e)
    out += ["", f"void {n}_marshal(struct evbuffer *evbuf, const struct {n} *msg) {{"]
    for e in s.entries:
        out += marshalling(s, e)
    out += ["}", "", f"int {n}_unmarshal(struct {n} *msg, struct evbuffer *evbuf) {{",
            "  ev_uint32_t tag = 0;"]
    if s.recursive:
        out += ["  /* What comes in may not say how deep our stack goes. */",
                "  static __thread int depth;",
                f"  if (depth == {MAX_DEPTH}) return -1;", "  ++depth;"]
    out += ["  while (evbuffer_get_length(evbuf) > 0) {",
            "    if (evtag_peek(evbuf, &tag) == -1) goto error;",
            "    switch (tag) {"]
    for e in s.entries:
        out += unmarshalling(s, e)
    down = ["  --depth;"] if s.recursive else []
    out += ["      default:", "        goto error;", "    }", "  }",
            f"  if ({n}_complete(msg) == -1) goto error;", *down, "  return 0;",
            "error:", *down,
            f'  event_warnx("%s: not a {n} (at tag %u)", __func__, tag);',
            "  return -1;", "}", "", f"int {n}_complete(struct {n} *msg) {{"]
    for e in s.entries:
        out += completeness(e)
    out += f"""  (void)msg;
  return 0;
}}

void evtag_marshal_{n}(struct evbuffer *evbuf, ev_uint32_t tag,
    const struct {n} *msg) {{
  struct evbuffer *payload = evbuffer_new();
  if (payload == NULL) {{
    event_warn("%s: evbuffer_new", __func__);
    return;
  }}
  {n}_marshal(payload, msg);
  evtag_marshal_buffer(evbuf, tag, payload);
  evbuffer_free(payload);
}}

int evtag_unmarshal_{n}(struct evbuffer *evbuf, ev_uint32_t need_tag,
    struct {n} *msg) {{
  ev_uint32_t tag;
  int result = -1;
  struct evbuffer *payload = evbuffer_new();
  if (payload == NULL) return -1;
  if (evtag_unmarshal(evbuf, &tag, payload) != -1 && tag == need_tag) {{
    result = {n}_unmarshal(msg, payload);
  }}
  evbuffer_free(payload);
  return result;
}}""".split("\n")
    return out


def implementation(file, header_name, command):
    out = ["/*", f" * Generated from {file.path} by {command}; do not edit.", " */",
           "#include <limits.h>", "#include <stdlib.h>", "#include <string.h>", "",
           "#include <event2/event-config.h>", "#include <event2/buffer.h>",
           "#include <event2/tag.h>", "", f'#include "{header_name}"', "",
           *file.c_lines, "", "/* Exported by libevent, in no header. */",
           "void event_warn(const char *fmt, ...);",
           "void event_warnx(const char *fmt, ...);"]
    out += copiers(file)
    for s in file.structs:
        out += implementation_of(s)
    return "\n".join(out) + "\n"
