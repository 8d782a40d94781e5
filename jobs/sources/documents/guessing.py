"""Which legacy encoding a text seems to be in: the one in which it reads most like a language.

Latin letters beyond ASCII are looked for in the alphabets of single languages, other alphabets by
their frequent letters, Chinese, Japanese and Korean by the rows of the frequent characters.
"""

from __future__ import annotations

from collections import Counter

from .coding import Coding

_ENOUGH = 1 << 16  # bytes
_POOR = 0.5

_LATIN = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "àâæçéèêëîïôœùûüÿ",  # French
        "äöüß",  # German
        "áéíóúüñªº",  # Spanish
        "áâãàçéêíóôõúüªº",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "àçéèíïóòúü",  # Catalan
        "åäöéæøü",  # Danish, Finnish, Norwegian, Swedish
        "áðéíóúýþæö",  # Icelandic
        "éëïöüáóèêí",  # Dutch
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýž",  # Czech
        "áäčďéíĺľňóôŕšťúýž",  # Slovak
        "áéíóöőúüű",  # Hungarian
        "ăâîşţ",  # Romanian
        "čćđšž",  # Croatian, Slovenian
        "çğıöşüİ",  # Turkish
        "ąčęėįšųūž",  # Lithuanian
        "āčēģīķļņšūž",  # Latvian
        "äõöüšž",  # Estonian
    )
)
_ALPHABETS = {  # all letters, and the ten most frequent ones
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё": "оеаинтсрвл",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя": "оанивітеср",
    "абвгдђежзијклљмнњопрстћуфхцчџш": "аиоенрсјту",
    "абвгдежзийклмнопрстуфхцчшщъьюя": "аиоентрсвл",
    "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ": "αοιετσνηυρ",
    "אבגדהוזחטיךכלםמןנסעףפץצקרשת": "יוהלאמרבנת",
    "ءآأؤإئابةتثجحخدذرزسشصضطظعغـفقكلمنهوىي": "اليمونرتبة",
    "กขคฆงจฉชซญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะัาำิีึืุูเแโใไ็่้์": "านรอกเงมยล",
}
_MARKS = frozenset("«»„“”‘’–—…€£§©®°·•¡¿№\xa0×")
_SINGLE = (
    *("cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257", "iso8859-15", "cp1251", "koi8-r"),
    *("koi8-u", "cp866", "iso8859-5", "mac-cyrillic", "cp1253", "iso8859-7", "cp1255", "cp1256"),
    *("iso8859-6", "cp874", "mac-roman", "cp850", "cp852", "iso8859-13"),
)
_PRIOR = {"cp1252": 0.05, "mac-roman": -0.02, "cp850": -0.02, "cp852": -0.02}
"""Where a word or two decide, the common one wins."""
_ROWS = {  # the lead bytes of signs, and those of the characters that a text is made of
    "cp949": ((0xA1, 0xA3), range(0xB0, 0xC9)),
    "euc_jp": ((0xA1, 0xA3), (0xA4, 0xA5, *range(0xB0, 0xD0))),
    "cp932": ((0x81,), range(0x82, 0x98)),
    "gb18030": ((0xA1, 0xA3), range(0xB0, 0xD8)),
    "big5": ((0xA1, 0xA2, 0xA3), range(0xA4, 0xC7)),
}
_KANA = range(0x3041, 0x30FF)


def guess(sample: bytes) -> str:
    """The name of the likeliest encoding; the sample may end inside a character.

    ``cp1252`` where nothing fits well: with it Western text is right, and nothing is lost.
    """
    lines = (line for line in sample.splitlines(keepends=True) if not line.isascii())
    telling = b"".join(lines)[:_ENOUGH]
    scores = {name: _score(name, telling) + _PRIOR.get(name, 0.0) for name in (*_SINGLE, *_ROWS)}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > _POOR else "cp1252"


def _score(name: str, sample: bytes) -> float:
    """From 0 to 1: how much of the text beyond ASCII is what a text would have."""
    text = Coding(name).reads(sample, whole=False)
    if text is None:
        return 0.0
    counts = Counter(char for char in text if char > "\x7f")
    total = counts.total()
    if not total:
        return 0.0
    if name in _ROWS:
        return _rows(name, counts) / total
    marks = sum(count for char, count in counts.items() if char in _MARKS)
    letters = Counter({char: n for char, n in counts.items() if char not in _MARKS})
    if not letters:
        return 1.0
    latin = max(sum(letters[char] for char in alphabet) for alphabet in _LATIN)
    other = max(_alphabet(letters, *item) for item in _ALPHABETS.items())
    return (marks + max(latin, other)) / total


def _rows(name: str, counts: Counter[str]) -> float:
    signs, frequent = _ROWS[name]
    found = kana = 0
    for char, count in counts.items():
        code = char.encode(name)
        double = len(code) == 2 and (name in ("cp932", "big5") or code[1] > 0xA0)
        if double and (code[0] in signs or code[0] in frequent):
            found += count
            kana += count * (ord(char) in _KANA)
    if name in ("euc_jp", "cp932"):
        return found if kana > 0.1 * counts.total() else 0.1 * found
    return 0.99 * found if kana > 0.1 * counts.total() else found


def _alphabet(letters: Counter[str], alphabet: str, frequent: str) -> float:
    """How many of the letters are its own, less where the frequent ones are not frequent."""
    folded: Counter[str] = Counter()
    for char, count in letters.items():
        folded[char.lower()] += count
    own = sum(folded[char] for char in alphabet)
    common = sum(folded[char] for char in frequent)
    lower = sum(letters[char] for char in alphabet)
    return own * min(1.0, 0.6 + 0.8 * common / (own or 1)) * (0.9 + 0.1 * lower / (own or 1))
