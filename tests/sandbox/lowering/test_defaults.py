"""What a missing key gives, wherever the program's text shows that a dict has a default."""

import pytest
import starlark

from tests.sandbox.lowering.interpreter import here, same

IMPORT = "from collections import Counter, defaultdict\n"


@pytest.mark.parametrize(
    "code",
    [
        "d = defaultdict(str)\nd['a'] += 'x'\nresult = [d['a'], d['b'], dict(d)]",
        "d = defaultdict(bool)\nresult = [d['a'], len(d)]",
        "def made():\n    return [0]\nd = defaultdict(made)\nd['a'].append(1)\nresult = dict(d)",
        "d = defaultdict(lambda: 5)\nd['a'] -= 1\nresult = dict(d)",
        "d = defaultdict(Counter)\nd['a']['x'] += 1\nd['a']['x'] += 1\nresult = {k: dict(v) for k, v in d.items()}",
        "d = defaultdict(lambda: defaultdict(list))\nd['a']['b'].append(1)\n"
        "for k, v in d.items():\n    v['c'].append(2)\nresult = {k: dict(v) for k, v in d.items()}",
        "d = defaultdict(list, {'a': [1]})\nd['a'].append(2)\nresult = dict(d)",
        "def add(d, k):\n    d[k] += 1\nd = Counter()\nadd(d, 'x')\nresult = dict(d)",
        "d = defaultdict(int)\ndef note(k):\n    d[k] += 1\nnote('a')\nnote('a')\nresult = dict(d)",
        "d: dict[str, int] = defaultdict(int)\nd['a'] += 1\nresult = dict(d)",
        "d = e = defaultdict(int)\ne['a'] += 1\nresult = dict(d)",
        "c = Counter()\nfor w in ['a', 'b', 'a']:\n    c[w] += 1\nresult = [c['a'], c['none'], len(c)]",
        "c = Counter(a=3)\nc.subtract(['a'])\nresult = [c['a'], list(c.elements())]",
    ],
)
def test_a_missing_key_gives_what_it_gives_in_python(code: str) -> None:
    same(IMPORT + code)


def test_a_plain_dict_has_no_default() -> None:
    with pytest.raises(starlark.StarlarkError, match="was not found"):
        here("d = {}\nd['a'] **= 1\n")
