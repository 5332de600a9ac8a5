"""The staff page of a person, with two ways on: export what is held about them, and erase it."""

from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import NotAllowed
from accounts.admin.base import access_of_staff
from accounts.admin.people import UserAdmin, is_beyond
from accounts.models import BillingContact, User
from billing_portal.core.letters import validate_seen
from billing_portal.personal_data import erasure
from billing_portal.personal_data.export import IN_MEMORY, CannotExport, export_person, file_name

NO_PERMISSION = _("Your staff account may not do this.")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        validators=[validate_seen],
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
        help_text=_("Customers chose this address for their mail. It stays a contact wherever you do not tick."),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, contacts: list[BillingContact], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if contacts:
            keys = [contact.pk for contact in contacts]
            self.fields["contacts"].queryset = (  # type: ignore[attr-defined]  # a field of rows
                BillingContact.objects.filter(pk__in=keys).select_related("profile__account").order_by("pk")
            )
        else:
            del self.fields["contacts"]


class PersonAdmin(UserAdmin):
    pages: ClassVar[dict[str, str]] = {**UserAdmin.pages, "export": "export_view", "erase": "erase_view"}

    def may_export(self, request: HttpRequest, user: User) -> bool:
        return request.user.has_perm("accounts.export_user") and not is_beyond(user, request)

    def may_erase(self, request: HttpRequest, user: User) -> bool:
        return request.user.has_perm("accounts.erase_user") and not is_beyond(user, request)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        user = context.get("original")
        if user is not None and not user.is_erased:
            context["may_export"], context["may_erase"] = self.may_export(request, user), self.may_erase(request, user)
        return super().render_change_form(request, context, *args, **kwargs)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        user = self.row_or_404(request, object_id)
        if not self.may_export(request, user):
            raise PermissionDenied(NO_PERMISSION)
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
            gettext("Give it only to this person, whose security activity shows that it was made."),
        ]
        title, button = gettext("Export data"), gettext("Export")
        return self._confirm(request, user, form=form, title=title, text=text, button=button, facts=self._facts(user))

    def erase_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        user = self.row_or_404(request, object_id)
        if not self.may_erase(request, user):
            raise PermissionDenied(NO_PERMISSION)
        access, contacts = access_of_staff(request), erasure.contacts_of(user)
        form = ErasureForm(request.POST if request.method == "POST" else None, contacts=contacts)
        if form.is_valid():
            chosen = [contact.pk for contact in form.cleaned_data.get("contacts", ())]
            try:
                left = erasure.erase_person(
                    access=access, user_id=user.pk, reason=form.cleaned_data["reason"], contact_ids=chosen,
                    at=timezone.now(),
                )  # fmt: skip
            except (erasure.CannotErase, NotAllowed) as refusal:
                form.add_error(None, str(refusal))
            else:
                sentences = [gettext("The person was erased."), *left.sentences()]
                return self._back(request, user, " ".join(sentences), messages.SUCCESS)
        if request.method == "GET" and (problem := erasure.why_not(access, user)):
            return self._back(request, user, problem, messages.ERROR)
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
            *erasure.left_of(user, contacts=[]).sentences(),
        ]
        title, button = gettext("Erase person"), gettext("Erase for good")
        facts = self._facts(user)
        for word, count in erasure.words_to_blank(user).items():
            text_of_word = gettext("%(word)s (in other records: %(count)s)") % {"word": word, "count": count}
            facts.append((gettext("Is blanked"), text_of_word))
        return self._confirm(request, user, form=form, title=title, text=text, button=button, facts=facts)

    @staticmethod
    def _facts(user: User) -> list[tuple[str, str]]:
        return [(gettext("Email address"), user.email), (gettext("Name"), user.name or "-")]
