"""The rows of the list of invoices, drawn here because a template took more than half of the page's time.

The markup of a row is put together once for each kind of row and holds only the names of texts in braces. The texts
come in through `Escaped`, which escapes them.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from billing_portal.templatetags.portal import icon, status

register = template.Library()


class Escaped(dict[str, str]):
    """What `str.format_map` puts into a row's markup: its texts, escaped when first asked for, and given markup."""

    def __init__(self, texts: Mapping[str, Any], **markup: SafeString) -> None:
        super().__init__(markup)
        self.texts = texts

    def __missing__(self, name: str) -> str:
        return self.setdefault(name, escape(self.texts[name]))


@register.simple_tag
def invoice_rows(rows: Iterable[Mapping[str, Any]], *, oob: bool = False) -> SafeString:
    """The rows that `invoices.views.rows` gives. ``oob``: htmx puts each over the row with its id."""
    return mark_safe("".join(_row(row, oob=oob) for row in rows))  # noqa: S308  our markup, and texts that were escaped


# What makes one kind of row differ from another.
KINDS = ("is_void", "is_late", "is_zero", "note", "pay_url", "why_url", "payment_url", "pdf_url")


def _row(row: Mapping[str, Any], *, oob: bool) -> str:
    markup = _markup(frozenset(name for name in KINDS if row[name]), oob=oob)
    return markup.format_map(Escaped(row, status=status(row["look"], row["label"])))


@cache
def _markup(kinds: frozenset[str], *, oob: bool) -> str:
    """Names of texts stand in doubled braces, what is filled in here in single ones."""
    attributes = (' class="is-void"' if "is_void" in kinds else "") + (' hx-swap-oob="true"' if oob else "")
    due_on = '<span class="late">{due_on}</span>' if "is_late" in kinds else "{due_on}"
    zero, amount = "", "{amount_due}"
    if "is_zero" in kinds:  # as a card there is room for one amount, and zero says nothing
        zero, amount = " zero", '<span class="if-grid">{amount_due}</span><span class="if-card">{total}</span>'
    note = '<span class="reason">{note}</span>' if "note" in kinds else ""
    why = '<a href="{why_url}">{why}</a>' if "why_url" in kinds else "{why}"
    action = _button("pay", "btn-primary btn-row") if "pay_url" in kinds else f'<span class="reason">{why}</span>'
    if "payment_url" in kinds:
        action += _button("payment", "btn-row")
    download = (
        '<a class="btn btn-command btn-icon btn-row" href="{pdf_url}" aria-label="{download_label}" download>'
        f"{icon('download')}</a>"
    )
    return f"""<tr id="invoice-{{id}}"{attributes}>
<td class="card-title"><a {_to_blade("detail")}>{{number}}</a></td>
<td class="card-sub text-nowrap">{{kind}}</td>
<td class="card-hide text-nowrap">{{issued_on}}</td>
<td class="card-note text-nowrap" data-label="{{due_heading}}">{due_on}</td>
<td class="card-hide num">{{total}}</td>
<td class="card-amount num{zero}">{amount}</td>
<td class="card-status">{{status}}{note}</td>
<td class="card-action">{action}</td>
<td class="card-extra">{download if "pdf_url" in kinds else ""}</td>
</tr>
"""


def _button(name: str, css: str) -> str:
    return f'<a class="btn {css}" {_to_blade(name)} aria-label="{{{name}_label}}">{{{name}_text}}</a>'


def _to_blade(name: str) -> str:
    """Where a link leads: a page of its own, which htmx opens in the blade."""
    return f'href="{{{name}_url}}" hx-get="{{{name}_url}}" hx-target="#blade" hx-push-url="true"'
