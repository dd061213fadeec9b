"""The verbs of `dwtsvc pdf` that lock a PDF and open it for good."""

from __future__ import annotations

from typing import Annotated

import typer

from dwtsvc_cli.pdfoptions import Force, Input, Json, NextFree, Output, Password, Undoable, target_of


def encrypt(
    pdf: Input,
    output: Output = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password", metavar="TEXT", help="What will open it. Without it: DWTSVC_PDF_PASSWORD, or you are asked."
        ),
    ] = None,
    owner_password: Annotated[
        str | None, typer.Option("--owner-password", metavar="TEXT", help="What will allow all; needed by --allow.")
    ] = None,
    allow: Annotated[
        str, typer.Option("--allow", metavar="LIST", help="print,modify,copy,annotate or none: a request to readers.")
    ] = "print,modify,copy,annotate",
    force: Force = False,
    next_free: NextFree = False,
    json: Json = False,
) -> None:
    """Encrypt a PDF with AES-256.

    Other users of this machine can see the options of a running command: better be asked, or use the environment. An
    empty --password with an --owner-password lets everybody open it.

    Examples:

      dwtsvc pdf encrypt payslip.pdf -o locked.pdf

      dwtsvc pdf encrypt offer.pdf --password see --owner-password own --allow print -o locked.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli.pdfchild import edit
    from dwtsvc_cli.pdffiles import PASSWORD_HINT, new_password

    target = target_of(output, force, next_free, json)
    chosen = new_password(password)
    if chosen is None:
        raise BadArguments("To encrypt a PDF needs a password", hint=PASSWORD_HINT)
    words = [word.strip() for word in allow.split(",") if word.strip() not in ("", "none")]
    edit("encrypt", [pdf], None, target, chosen, owner_password or "", words)


def decrypt(
    pdf: Input,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Write a PDF without its encryption.

    Examples:

      dwtsvc pdf decrypt locked.pdf -o open.pdf
    """
    from dwtsvc_cli.pdfchild import edit

    edit("decrypt", [pdf], password, target_of(output, force, next_free, json, undoable and "decrypt"))
