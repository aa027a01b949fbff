"""Files that somebody wrote to break a reader, and what the one who knows their names says of each."""

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{now}: &{now} [{','.join([f'*{before}'] * 10)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE = [
    (b"x" * (10 << 20), "larger than 1 MiB"),
    (BOMB.encode(), ":5: holds more than 100000 values once its aliases are written out"),
    (b"a: &a [*a]\n", ":1: *a stands inside its own &a"),
    (b"a: *b\n", ":1: *b refers to nothing"),
    (b"version: v1\nx: \xff\n", ":2: is not UTF-8"),
    (b"version: v1\nx: [1\n", "is not YAML"),
    (b"\xef\xbb\xbf\xef\xbb\xbfversion: v1\n", ":1: starts with two byte order marks"),
    (b"a: b: c\n", ":1: is not YAML"),
    (b"[" * 5000, "nested more than 64 levels"),
    (b"\x00", "is not YAML"),
    (b"? [a]\n: 1\n", ":1: has a mapping or a list as a key"),
    (b"a: !!int x\n", ":1: says !!int but is 'x'"),
    (b"kind: ConfigMap\ndata: {other: x}\n", ""),
    (b"just text\n", ""),
    (b"- 1\n", ""),
    (b"config: 7\n", ""),
    (b"version: v1\nmig-configs: 7\n", ""),
]
