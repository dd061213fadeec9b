"""Text without what is nobody's business: secrets, queries of URLs, names of files, data. And text on one line.

Patterns cannot know everything. Where they doubt they take out too much: a log that says less is the lesser evil.
"""

from __future__ import annotations

import re

_X = re.VERBOSE | re.IGNORECASE

# Names of things with a secret value; each may end a longer word, as in `access_token`.
_SECRET = r"""(?: dwt-product-key | product-?key | token | passw(?:or)?d | passphrase
    | secret | api-?key | private-?key | sig | signature | credentials? )"""
_STRING = r"""(?: "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )"""
# What a path may be, as opposed to a file: the routes of the service.
_ROUTE = r"(?:api|DWTAPI|dwt|fa|f|eSCL|schema|consent|healthz|web)\b"
_SUFFIX = r"""\.(?: pdf|jpe?g|png|tiff?|bmp|webp|gif|txt|rtf|docx?|xlsx?|pptx?|od[tsp]|csv|xml|json|html?|ini|pem|key
    |crt|cer|der|p12|zip|part ) \b"""

_RULES = [
    # bytes, and data: URLs
    (r""" \bb(['"]) (?:\\.|(?!\1).)* (?:\1|$) """, "[data]"),
    (r""" \bdata:[\w.+-]{1,99}/[\w.+-]{1,99}[;,]\S* """, "[data]"),
    (r""" \bfile:[\\/]\S* """, "[file]"),
    # headers whose whole line is secret
    (r""" \b((?:set-)?cookie | (?:proxy-)?authorization)(["']?\s*[:=]).* """, r"\1\2 [removed]"),
    # name: value, name=value, "name": "value"
    (rf""" ({_SECRET} ["']? \s{{0,9}}[:=]\s{{0,9}}) (?: {_STRING} | [^\s,;&"']+ ) """, r"\1[removed]"),
    (r""" \b(bearer|basic)\s+[\w.~+/=-]{8,} """, r"\1 [removed]"),
    # parts of URLs: user and password, query, fragment
    (r""" (?<=\w)://[^/\s@]{0,300}@ """, "://[removed]@"),
    (r""" (?<=[\w/%~.\]-]) \? [^\s"'<>]+ """, "?[removed]"),
    (r""" (?<=[\w/%~-]) \# [^\s"'<>]{2,} """, "#[removed]"),
    # long runs of base64 and hexadecimal: keys, tokens, contents
    (r""" (?<![\w+/=.-]) (?=\S*\d) (?=\S*[a-z]) [\w+=-][\w+/=-]{39,} """, "[removed]"),
    # the name at the end of what the system says about a file
    (r""" (\[(?:Errno|WinError)\ -?\d+\]\ [^:\n]*:).* """, r"\1 [file]"),
    # names in quotes, which may hold blanks
    (
        rf""" (['"]) (?! (?:[a-z]+\ )? /{_ROUTE} ) [^'"\n]{{0,300}}? (?: [\\/] [^'"\n]{{0,300}} | {_SUFFIX} ) \1 """,
        r"\1[file]\1",
    ),
    # paths without quotes: up to the last suffix of a known kind, else up to the next blank
    (
        rf""" (?<![\w.:/\]-]) (?: [a-z]: | ~ | \.{{1,2}} )? [\\/]+ (?<!//) (?!{_ROUTE}) (?=[^\s/])
        (?: [^\n'"<>|]{{0,300}} {_SUFFIX} | [^\s'"<>|,;)]+ ) """,
        "[file]",
    ),
    (rf""" (?<![\w/]) [\w%~@+.()-]{{1,200}} {_SUFFIX} (?!\() """, "[file]"),
]
_COMPILED = [(re.compile(pattern, _X), by) for pattern, by in _RULES]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\\]")
_QUOTED = re.compile(_STRING, _X)


def redact(text: str) -> str:
    """The text with what the rules find replaced by a word in brackets that says what it was."""
    for pattern, by in _COMPILED:
        text = pattern.sub(by, text)
    return text


def without_quotes(text: str) -> str:
    """The text without what stands in quotes: an exception of a library quotes the value it choked on."""
    return _QUOTED.sub("'[value]'", text)


def escape(text: str) -> str:
    r"""One line without control characters: \n, \x1b and so on stand for them, and a backslash is doubled."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)
