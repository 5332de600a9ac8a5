"""The staff page of a person, with two ways on: export what is held about them, and erase it."""

from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import NotAllowed
from accounts.admin.base import access_of_staff
from accounts.admin.people import UserAdmin
from accounts.models import BillingContact, User
from billing_portal.personal_data.erasure import CannotErase, erase_person, why_not, words_to_blank
from billing_portal.personal_data.export import IN_MEMORY, CannotExport, export_person, file_name
from billing_portal.personal_data.remains import contacts_of, left_of


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("Who asked, when and how. It is recorded; do not write the person's name or address here."),
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 3}),
    )


class ContactChoice(forms.ModelMultipleChoiceField):
    def label_from_instance(self, contact: BillingContact) -> str:
        return f"{contact.profile.account.name}, {contact.profile.name} ({contact.profile.code})"


class ErasureForm(ReasonForm):
    contacts = ContactChoice(
        label=_("Also remove as contact of"),
        required=False,
        queryset=BillingContact.objects.none(),
        help_text=_("Customers chose this address for their mail. What you do not tick goes on getting it."),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, contacts: list[BillingContact], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if contacts:
            keys = [contact.pk for contact in contacts]
            self.fields["contacts"].queryset = (  # type: ignore[attr-defined]
                BillingContact.objects.filter(pk__in=keys).select_related("profile__account").order_by("pk")
            )
        else:
            del self.fields["contacts"]


class PersonAdmin(UserAdmin):
    def get_urls(self) -> list[URLPattern]:
        def own(way: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(f"<path:object_id>/{way}/", self.admin_site.admin_view(view), name=f"accounts_user_{way}")

        return [own("export", self.export_view), own("erase", self.erase_view), *super().get_urls()]

    def may_export(self, request: HttpRequest, user: User) -> bool:
        return self._may("accounts.export_user", request, user)

    def may_erase(self, request: HttpRequest, user: User) -> bool:
        return self._may("accounts.erase_user", request, user)

    def _may(self, permission: str, request: HttpRequest, user: User) -> bool:
        of_staff = user.is_staff or user.is_superuser
        return request.user.has_perm(permission) and (bool(request.user.is_superuser) or not of_staff)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        user = context.get("original")
        if user is not None and not user.is_erased:
            context["may_export"], context["may_erase"] = self.may_export(request, user), self.may_erase(request, user)
        return super().render_change_form(request, context, *args, **kwargs)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Asks for a reason, then hands out the file."""
        user = self._user(request, object_id, self.may_export)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            at, stream = timezone.now(), SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the response closes it
            try:
                export_person(
                    access=access_of_staff(request), user=user, stream=stream, at=at, reason=form.cleaned_data["reason"]
                )
            except (CannotExport, NotAllowed) as refusal:
                stream.close()
                form.add_error(None, str(refusal))
            else:
                stream.seek(0)
                return FileResponse(stream, as_attachment=True, filename=file_name(user, at))
        text = [
            gettext("You get a ZIP file with what the portal holds about this person, and nothing about anybody else."),
            gettext("Hand it to nobody but the person, who sees among their security activity that it was made."),
        ]
        title, button = gettext("Export data"), gettext("Export")
        return self._confirm(request, user, form=form, title=title, text=text, button=button, facts=self._facts(user))

    def erase_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Says what will happen and what stays, then does it."""
        user = self._user(request, object_id, self.may_erase)
        access, contacts = access_of_staff(request), contacts_of(user)
        form = ErasureForm(request.POST if request.method == "POST" else None, contacts=contacts)
        if form.is_valid():
            chosen = [contact.pk for contact in form.cleaned_data.get("contacts", ())]
            try:
                left = erase_person(
                    access=access, user_id=user.pk, reason=form.cleaned_data["reason"], contact_ids=chosen,
                    at=timezone.now(),
                )  # fmt: skip
            except (CannotErase, NotAllowed) as refusal:
                form.add_error(None, str(refusal))
            else:
                said = [gettext("The person was erased."), *left.sentences()]
                self.message_user(request, " ".join(said), messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))
        if request.method == "GET" and (against := why_not(access, user)):
            self.message_user(request, against, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))
        stays = gettext(
            "Payments and the audit trail stay, and say “Erased person %(number)s”. Issued invoices and credit notes "
            "stay as they are, because tax law makes us keep them."
        )
        text = [
            gettext("This cannot be undone."),
            gettext(
                "Name, addresses, roles, second factors and sessions are removed, and what names the person in other "
                "records is blanked. A mail tells them."
            ),
            stays % {"number": user.pk},
            *left_of(user, contacts=[]).sentences(),
        ]
        title, button = gettext("Erase person"), gettext("Erase for good")
        facts = self._facts(user)
        for word, count in words_to_blank(user).items():
            found = gettext("%(word)s (in other records: %(count)s)") % {"word": word, "count": count}
            facts.append((gettext("Is blanked"), found))
        return self._confirm(request, user, form=form, title=title, text=text, button=button, facts=facts)

    def _user(self, request: HttpRequest, object_id: str, may: Callable[[HttpRequest, User], bool]) -> User:
        pk = int(object_id) if object_id.isascii() and object_id.isdigit() and len(object_id) < 19 else None
        user = get_object_or_404(User, pk=pk)
        if not may(request, user):
            raise PermissionDenied(gettext("Your staff account may not do this."))
        return user

    @staticmethod
    def _facts(user: User) -> list[tuple[str, str]]:
        return [(gettext("Email address"), user.email), (gettext("Name"), user.name or "-")]
