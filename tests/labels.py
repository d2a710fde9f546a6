"""Labels that want to be more than text, and as what they are shown."""

HOSTILE = {
    "quotes": "say \"hi\" and 'hi'",
    "quote at the end": 'x"',
    "backslash and quote": '\\"',
    "script": "</script><script>alert(1)</script>",
    "HTML": "<b>bold</b>",
    "HTML label": "<<b>bold</b>>",
    "empty HTML": "<>",
    "CDATA": "]]>",
    "comment": "<!-- --> -- /* // #",
    "record": "a|{b|c}|<port> d",
    "backslash N": r"\N",
    "nabla": r"\nabla \lambda \rho \Gamma \L \E \T \H",
    "one backslash": "\\",
    "many backslashes": "\\" * 7,
    "character reference": "&lt;b&gt; &amp; &#65; &#x41; &hearts; &",
    "entity": "&xxe;",
    "statement": '"]; n9 [URL="javascript:"]; n1 [label="',
    "keyword": "digraph",
    "number": "-4.20",
    "port": "a:b:c",
    "spaces": "a  b   c",
    "emoji": "🤖 👩‍👩‍👧",
    "Hebrew": "שלום",
    "accents": "é ∂L/∂w",
    "percent": "%s %d %n {0} {x}",
}
REPLACED = {
    "newline": ("a\nb\r\n", r"a\nb\r\n"),
    "NUL": ("a\0b", r"a\x00b"),
    "controls": ("\x01\x1f\x7f\x85", r"\x01\x1f\x7f\x85"),
    "right to left": ("\u202eabc\u200f", r"\u202eabc\u200f"),
    "surrogate": ("\udc80", r"\udc80"),
    "noncharacter": ("\ufffe\uffff", r"\ufffe\uffff"),
    "huge": ("<" * 10_000, "<" * 15 + "…" + "<" * 24),
}
SHOWN = {**{name: (label, label) for name, label in HOSTILE.items()}, **REPLACED}
"""All of them: the label, and the text that one reads."""
