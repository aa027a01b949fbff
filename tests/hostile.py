"""Files that break a careless reader of YAML, and layout files that two readers of YAML understand differently."""

from dataclasses import dataclass, replace

from mig_fleet.model.parted import Entry

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{now}: &{now} [{','.join([f'*{before}'] * 10)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{now}: &{now} {{<<: [{','.join([f'*{before}'] * 10)}]}}\n"
    for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Few values in the end, but a hundred million merged on the way."""
REPEATED = f"a: &a {{{','.join(f'k{number}: 0' for number in range(9000))}}}\nb:\n" + "  <<: *a\n" * 6000
"""One mapping that merges another one 6000 times."""
TOWER = "a0: &a0 [x]\n" + "".join(
    f"a{number}: &a{number} {'[' * 60}*a{number - 1}{']' * 60}\n" for number in range(1, 20)
)
"""A thousand levels deep with its aliases expanded, although no line has more than 60 levels."""

KEY = "mig-configs"
"""With this key in it a text is a layout file to each entrance."""

UNREADABLE: list[tuple[bytes, str]] = [
    (f"{KEY}: {'x' * (1 << 20)}".encode(), " is larger than 1 MiB"),
    (f"{BOMB}{KEY}: *i\n".encode(), ":5: has more than 100000 values with its aliases expanded"),
    (f"{MERGED}{KEY}: *i\n".encode(), " has more than 100000 values with its aliases expanded"),
    (f"{REPEATED}{KEY}: 1\n".encode(), " has more than 100000 values with its aliases expanded"),
    (f"{KEY}: {'[' * 5000}".encode(), ":1: is nested more than 64 levels deep"),
    (f"{TOWER}{KEY}: 1\n".encode(), ":3: is nested more than 64 levels deep"),
    (f"{KEY}: &a [*a]\n".encode(), ":1: *a is inside its own anchor &a"),
    (f"{KEY}: *b\n".encode(), ":1: *b has no anchor; define &b before it"),
    (f"{KEY}: \xff\n".encode("latin-1"), ":1: is not UTF-8"),
    (b"\xff\xfe" + f"{KEY}: 1\n".encode("utf-16-le"), ":1: is not UTF-8"),
    (f"\ufeff\ufeff{KEY}: 1\n".encode(), ":1: starts with two byte order marks"),
    (f"version: v1\n{KEY}: [1\n".encode(), " is not YAML: "),
    (f"{KEY}: b: c\n".encode(), ":1: is not YAML: "),
    (f"{KEY}: \x00\n".encode(), " is not YAML: "),
    (f"? [{KEY}]\n: 1\n".encode(), ":1: has a mapping or a list as a key"),
    (f"{KEY}: {{<<: 1}}\n".encode(), ":1: merges (<<) a value that is not a mapping"),
    (f"{KEY}: !!int x\n".encode(), ":1: has the tag !!int but the value 'x'"),
    (f'{KEY}: !!int ""\n'.encode(), ":1: has the tag !!int but the value ''"),
    (f"{KEY}: !!bool foo\n".encode(), ":1: has the tag !!bool but the value 'foo'"),
    (f"{KEY}: !!timestamp foo\n".encode(), ":1: has the tag !!timestamp but the value 'foo'"),
    (f"{KEY}: !!binary '***'\n".encode(), ":1: has the tag !!binary but is not base64"),
]
"""No reader gives these a meaning; with the reason, and the line if it is known."""

OTHER_FILES = [
    b"kind: ConfigMap\ndata: {other: x}\n",
    b"just text\n",
    b"- 1\n",
    b"config: 7\n",
    f"version: v1\n{KEY}: 7\n".encode(),
]
"""Readable, but neither a stack file nor a layout file that works."""


@dataclass(frozen=True)
class LayoutFile:
    """A layout file, and the entry that mig-parted reads from its config ``dense``; or, if it refuses the file, the
    place and the reason. ``ignored`` is what mig-parted ignores without a message.
    """

    name: str
    text: str
    expected: Entry | tuple[str, str]
    ignored: str = ""


def a_layout_file(entry: str = "", *, head: str = "version: v1\n", **changes: str) -> str:
    """A file with a config ``all-disabled`` and a config ``dense``. Without changes ``dense`` is :data:`SOUND`."""
    values = {"device_filter": '"0x233010DE"', "devices": "all", "mig_enabled": "true", "mig_devices": "{1g.10gb: 7}"}
    values |= changes
    fields = entry or ", ".join(f"{key.replace('_', '-')}: {value}" for key, value in values.items())
    return f"{head}{KEY}:\n  all-disabled: [{{devices: all, mig-enabled: false}}]\n  dense: [{{{fields}}}]\n"


FIELDS = 'device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}'
SOUND = Entry(("0x233010DE",), None, True, {"1g.10gb": 7})
SECOND_GPU = replace(SOUND, devices=(1,))
OFF = Entry((), None, False, {})


def _with_devices(name: str, devices: str, expected: tuple[int, ...] | str) -> LayoutFile:
    text = a_layout_file(devices=devices)
    if isinstance(expected, str):
        return LayoutFile(name, text, (f"{KEY}.dense[0].devices", f"must be a whole number, found {expected}"))
    return LayoutFile(name, text, replace(SOUND, devices=expected))


LAYOUT_FILES = [
    LayoutFile("no surprises", a_layout_file(), SOUND),
    LayoutFile("JSON", f'{{"version": "v1", "{KEY}": {{"dense": [{{{FIELDS}}}]}}}}', SOUND),
    _with_devices("octal of YAML 1.2", "[0o7]", (7,)),
    _with_devices("octal of YAML 1.1", "[010]", (8,)),
    _with_devices("not octal", "[0, 08]", (0, 8)),
    _with_devices("hexadecimal", "[0xA]", (10,)),
    _with_devices("a binary number", "[0b101]", (5,)),
    _with_devices("an underscore", "[1_0]", (10,)),
    _with_devices("signs", "[+7, -0]", (7, 0)),
    _with_devices("an exponent", "[1e1]", (10,)),
    _with_devices("a whole float", "[7.0]", (7,)),
    _with_devices("null as an index", "[~]", (0,)),
    LayoutFile("an exponent of zero", a_layout_file(mig_devices="{1g.10gb: 7e0}"), SOUND),
    _with_devices("sexagesimal", "[1:10]", "'1:10'"),
    _with_devices("a sexagesimal float", "[1:10.5]", "'1:10.5'"),
    _with_devices("a long sexagesimal", f"[1{':1' * 100_000}]", "'1:1:1:1"),
    _with_devices("a long sexagesimal float", f"[1{':1' * 190}.5]", "'1:1:1:1"),
    _with_devices("a long number", f"[{'9' * 5000}]", "'9999999"),
    _with_devices("a number beyond a float", "[1e999]", "'1e999'"),
    _with_devices("infinity", "[.inf]", "inf"),
    _with_devices("a date", "[2001-01-01]", "'2001-01-01'"),
    _with_devices("a quoted number", '["7"]', "'7'"),
    _with_devices("a tag without a name", "[! 7]", "'7'"),
    _with_devices("an unknown tag", "[!!python/name:os.system x]", "'x'"),
    LayoutFile(
        "a date with its tag",
        a_layout_file(devices="[!!timestamp 2001-01-01]"),
        (":4", "has the tag !!timestamp but the value '2001-01-01'"),
    ),
    *(
        LayoutFile(f"{word} for true", a_layout_file(mig_enabled=word), SOUND)
        for word in ("y", "Y", "yes", "on", "ON", "True")
    ),
    *(
        LayoutFile(f"{word} for false", a_layout_file(f"devices: all, mig-enabled: {word}"), OFF)
        for word in ("n", "no", "off", "False", "~")
    ),
    LayoutFile(
        "a quoted yes",
        a_layout_file(mig_enabled="'yes'"),
        (f"{KEY}.dense[0].mig-enabled", "must be true or false, found 'yes'"),
    ),
    LayoutFile(
        "a device filter as a number",
        a_layout_file(device_filter="0x233010DE"),
        (f"{KEY}.dense[0].device-filter", "must be a string or a list of strings, found 590352606"),
    ),
    LayoutFile("a string by its tag", a_layout_file(device_filter="!!str 0x233010DE"), SOUND),
    LayoutFile("a string in base64", a_layout_file(device_filter="!!binary MHgyMzMwMTBERQ=="), SOUND),
    LayoutFile("a merge key above", a_layout_file(f"<<: {{{FIELDS}}}, devices: [1]"), SECOND_GPU),
    LayoutFile("a merge key below", a_layout_file(f"devices: [1], <<: {{{FIELDS}}}"), SOUND),
    LayoutFile("two merge keys", a_layout_file(f"<<: {{{FIELDS}}}, <<: {{devices: [1]}}"), SECOND_GPU),
    LayoutFile("a list of merged mappings", a_layout_file(f"<<: [{{devices: [1]}}, {{{FIELDS}}}]"), SECOND_GPU),
    LayoutFile("an alias", a_layout_file().replace("dense: [", "dense: &dense [") + "  also: *dense\n", SOUND),
    LayoutFile(
        "a duplicate field", a_layout_file(f"{FIELDS}, devices: [1]"), SECOND_GPU, ":4: duplicate key 'devices'"
    ),
    LayoutFile(
        "a duplicate profile",
        a_layout_file(mig_devices="{1g.10gb: 6, 1g.10gb: 7}"),
        SOUND,
        ":4: duplicate key '1g.10gb'",
    ),
    LayoutFile(
        "a duplicate config",
        a_layout_file() + f"  dense: [{{{FIELDS.replace('all', '[1]')}}}]\n",
        SECOND_GPU,
        ":5: duplicate key 'dense'",
    ),
    LayoutFile(
        "a number and a string as one key",
        a_layout_file() + '  1: [{devices: all, mig-enabled: off}]\n  "1": [{devices: all, mig-enabled: off}]\n',
        SOUND,
        ":6: duplicate key '1'",
    ),
    LayoutFile(
        "a second document",
        f"{a_layout_file()}---\n{a_layout_file(devices='[1]')}",
        SOUND,
        ": only the first document is read; the text after --- is ignored",
    ),
    LayoutFile("a byte order mark", f"\ufeff{a_layout_file()}", SOUND),
    LayoutFile(
        "a byte order mark on another line",
        a_layout_file(head="---\n\ufeffversion: v1\n"),
        ("", "missing 'version' field"),
    ),
    LayoutFile("no version", a_layout_file(head=""), ("", "missing 'version' field")),
    LayoutFile("a number as the version", a_layout_file(head="version: 1\n"), ("version", "must be a string, found 1")),
    LayoutFile(
        "a boolean as the version", a_layout_file(head="version: y\n"), ("version", "must be a string, found True")
    ),
]
"""Layout files whose meaning depends on the reader."""
