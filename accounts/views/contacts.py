"""Mail and contacts: which mail a billing profile wants, and who in accounts payable gets it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Access, reason_for_role
from accounts.decorators import profile_of, profile_view
from accounts.forms import ContactForm, MailsForm
from accounts.models import BillingContact
from accounts.operations.contacts import CannotChangeContacts, add_contact, choose_mails, remove_contact
from accounts.recipients import invoice_people
from accounts.roles import Permission


@require_safe
@profile_view(Permission.PROPERTIES_VIEW)
def contacts(request: HttpRequest, access: Access) -> HttpResponse:
    return _page(request, access, ContactForm(initial={"language": request.LANGUAGE_CODE}))


@require_POST
@profile_view(Permission.PROPERTIES_UPDATE)
def choose(request: HttpRequest, access: Access) -> HttpResponse:
    """Switches the mail about new invoices on or off."""
    form, profile = MailsForm(request.POST), profile_of(access)
    if form.is_valid():
        choose_mails(access=access, profile_id=profile.pk, at=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Your choice was saved."))
    return redirect("accounts:contacts", profile=profile.code)


@require_POST
@profile_view(Permission.PROPERTIES_UPDATE)
def add(request: HttpRequest, access: Access) -> HttpResponse:
    form, profile = ContactForm(request.POST), profile_of(access)
    if form.is_valid():
        try:
            contact = add_contact(access=access, profile_id=profile.pk, at=timezone.now(), **form.cleaned_data)
        except CannotChangeContacts as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, _("%(email)s was added.") % {"email": contact.email})
            return redirect("accounts:contacts", profile=profile.code)
    return _page(request, access, form, status=422)


@require_POST
@profile_view(Permission.PROPERTIES_UPDATE)
def remove(request: HttpRequest, access: Access, contact_id: int) -> HttpResponse:
    profile = profile_of(access)
    try:
        remove_contact(access=access, profile_id=profile.pk, contact_id=contact_id, at=timezone.now())
    except BillingContact.DoesNotExist as error:
        raise Http404(_("There is no such contact.")) from error
    except CannotChangeContacts as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The contact was removed."))
    return redirect("accounts:contacts", profile=profile.code)


def _page(request: HttpRequest, access: Access, form: ContactForm, *, status: int = 200) -> HttpResponse:
    profile = profile_of(access)
    may_change = access.can(Permission.PROPERTIES_UPDATE)
    context = {
        "profile": profile,
        "contacts": profile.contacts.order_by("name", "email"),
        "people": invoice_people(profile),
        "may_change": may_change,
        "why_not": "" if may_change else reason_for_role(Permission.PROPERTIES_UPDATE),
        "mails_form": MailsForm(initial={"mails_invoices": profile.mails_invoices}),
        "form": form,
    }
    return render(request, "accounts/contacts.html", context, status=status)
