"""The forms of allauth where the portal does more: failures that allauth has no signal for are audited, a mailed link
proves the address, and a secret is encrypted wherever it waits."""

from typing import Any

from allauth.account import forms as account
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context, ratelimit
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as codes
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn import forms as webauthn
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import second_factors
from accounts.email_addresses import canonical_address
from accounts.operations.addresses import set_password_by_link
from accounts.second_factors import UnreadableSecret
from billing_portal import security_events

LIMITS = ("too_many_login_attempts", "rate_limited")


class LoginForm(account.LoginForm):
    def clean_login(self) -> str:
        return canonical_address(super().clean_login())


class ResetPasswordForm(account.ResetPasswordForm):
    def clean_email(self) -> str:
        """Each mailbox has one address here, so what is mailed to it is counted together."""
        self.cleaned_data["email"] = canonical_address(self.cleaned_data["email"])
        return str(super().clean_email())

    def save(self, request: Any, **options: Any) -> str:
        security_events.reset_requested(request, self.cleaned_data["email"])
        return str(super().save(request, **options))


class ResetPasswordKeyForm(account.ResetPasswordKeyForm):
    """The password that somebody chooses by a mailed link, which proves the address as well."""

    def save(self) -> None:
        set_password_by_link(user=self.user, password=self.cleaned_data["password1"], at=timezone.now())


class ChangePasswordForm(account.ChangePasswordForm):
    def clean_oldpassword(self) -> str:
        """Judged and counted as at signing in: a browser that was left open gives no more tries."""
        adapter, password = get_account_adapter(), str(self.cleaned_data["oldpassword"])
        user = adapter.authenticate(context.request, email=self.user.email, password=password)
        if user is None or user.pk != self.user.pk:
            raise adapter.validation_error("enter_current_password")
        return password


class CodeForm:
    """A code of a second factor. Of a wrong one allauth tells by a signal, of too many it does not."""

    user: Any

    def clean_code(self) -> str:
        try:
            return str(super().clean_code())  # type: ignore[misc]  # of the form beside it
        except ValidationError as error:
            if error.code in LIMITS:
                security_events.attempts_blocked(context.request, "second_factor", person=self.user)
            raise


class AnyCodeForm(CodeForm):
    """A code of the app or a recovery code. Readable ones stay good where no key decrypts another secret."""

    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        try:
            return super().clean_code()
        except UnreadableSecret:
            rows = Authenticator.objects.filter(user=self.user).exclude(type=Authenticator.Type.WEBAUTHN)
            readable = [row for row in rows if second_factors.is_readable(row.data)]
            if not readable:
                raise
            return self._code_of(readable)

    def _code_of(self, readable: list[Authenticator]) -> str:
        """Raises ValidationError. The library has counted the try by now."""
        code = str(self.cleaned_data["code"])
        for row in readable:
            if row.wrap().validate_code(code):
                row.user = self.user
                self.authenticator = row
                ratelimit.clear(context.request, action="login_failed", key=f"mfa-auth-user-{self.user.pk}")
                return code
        security_events.second_factor_failed(context.request, self.user, str(readable[0].type))
        raise get_adapter().validation_error("incorrect_code")


class AuthenticateForm(AnyCodeForm, codes.AuthenticateForm):
    pass


class ReauthenticateForm(AnyCodeForm, codes.ReauthenticateForm):
    pass


class ActivateTOTPForm(CodeForm, totp.ActivateTOTPForm):
    """Keeps the secret encrypted in the session as well, where it waits for the first code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        session = context.request.session
        kept = session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if self.is_bound and kept:
            self.secret = second_factors.decrypt(kept)
        session[SECRET_SESSION_KEY] = second_factors.encrypt(self.secret)


class KeyForm:
    """Audits a wrong security key, of which allauth tells nothing; about nobody if only the browser says whose."""

    user: Any

    def clean_credential(self) -> Authenticator:
        try:
            return self._authenticator()
        except ValidationError as error:
            if error.code in LIMITS:
                security_events.attempts_blocked(context.request, "second_factor", person=self.user)
            elif self.user is None:
                security_events.attempt_failed(context.request, methods=("passkey",))
            else:
                security_events.second_factor_failed(context.request, self.user, Authenticator.Type.WEBAUTHN.value)
            raise

    def _authenticator(self) -> Authenticator:
        """Raises ValidationError also for an answer without the parts that the library takes for granted."""
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form beside it
        except (AttributeError, KeyError) as error:
            raise get_adapter().validation_error("incorrect_code") from error


class NamedKeyForm:
    """Of a security key. allauth does not translate the label."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name")


class AddWebAuthnForm(NamedKeyForm, webauthn.AddWebAuthnForm):
    pass


class EditWebAuthnForm(NamedKeyForm, webauthn.EditWebAuthnForm):
    pass


class AuthenticateWebAuthnForm(KeyForm, webauthn.AuthenticateWebAuthnForm):
    pass


class LoginWebAuthnForm(KeyForm, webauthn.LoginWebAuthnForm):
    pass


class ReauthenticateWebAuthnForm(KeyForm, webauthn.ReauthenticateWebAuthnForm):
    pass
