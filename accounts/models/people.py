"""Who signs in, and which role each person holds where."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.email_addresses import ERASED_DOMAIN, canonical_address
from accounts.models.customers import BillingAccount, BillingProfile, InvoiceSection
from accounts.roles import ROLES_OF, Role, Scope
from billing_portal.core.letters import SeenField


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=canonical_address(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Somebody who administers the machine vouches for the address. Raises ValidationError for an address that is
        none and for a weak password, because `createsuperuser` offers to bypass its own test."""
        from allauth.account.models import EmailAddress  # noqa: PLC0415  needs the apps to be loaded

        if password is not None:
            validate_password(password, self.model(email=email, **fields))
        user = self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
        EmailAddress.objects.using(self._db).create(user=user, email=user.email, primary=True, verified=True)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in, by e-mail address: a customer's member, or staff."""

    class Theme(models.TextChoices):
        SYSTEM = "", _("As the system")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(_("email address"), max_length=254)
    name = SeenField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, blank=True, default=Theme.SYSTEM)
    last_scope = models.CharField(_("last scope"), max_length=40, blank=True, editable=False)
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May sign in to the staff pages."))
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Clear this instead of deleting the person.")
    )
    joined_at = models.DateTimeField(_("joined"), default=timezone.now, editable=False)
    # Counted up when the person's address or second factors change, which ends every session that began before.
    sessions_version = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [
            ("export_user", _("Can export the personal data of a user")),
            ("erase_user", _("Can erase the personal data of a user")),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message=_("Somebody has this email address already."),
            )
        ]

    def __str__(self) -> str:
        return self.display_name if self.is_erased else self.email

    @property
    def display_name(self) -> str:
        if self.is_erased:
            return _now("Erased person %(number)s") % {"number": self.pk}
        return self.name or self.email

    @property
    def is_erased(self) -> bool:
        return self.email.endswith(f"@{ERASED_DOMAIN}")

    def check_password(self, raw_password: str | None) -> bool:
        """A weak hash is renewed, unless the password was replaced meanwhile: Django would write the old one back."""

        def strengthen(password: str) -> None:
            encoded = make_password(password)
            if User.objects.filter(pk=self.pk, password=self.password).update(password=encoded):
                self.password = encoded

        return check_password(raw_password, self.password, strengthen)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must carry to stay valid: it changes with the password and with `sessions_version`."""
        return salted_hmac(
            "accounts.models.User.session",
            f"{self.password}:{self.sessions_version}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


class EmailChange(models.Model):
    """The address that a person wants to have, until its mailbox has answered. Until then it counts for nothing."""

    user = models.OneToOneField(User, models.CASCADE, related_name="email_change", verbose_name=_("user"))
    email = models.EmailField(_("new email address"), max_length=254)
    requested_at = models.DateTimeField(_("requested"))
    requested_by = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("requested by"))
    expires_at = models.DateTimeField(_("valid until"))

    class Meta:
        verbose_name = _("change of address")
        verbose_name_plural = _("changes of address")
        constraints = [models.UniqueConstraint(Lower("email"), name="email_change_unique")]

    def __str__(self) -> str:
        return f"{self.user} → {self.email}"


class RoleAssignment(models.Model):
    """One person, one role, at exactly one scope. What is granted here reaches every scope below."""

    user = models.ForeignKey(User, models.CASCADE, related_name="assignments", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=24, choices=Role)
    account = models.ForeignKey(
        BillingAccount,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="assignments",
        verbose_name=Scope.ACCOUNT.label,
    )
    profile = models.ForeignKey(
        BillingProfile,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="assignments",
        verbose_name=Scope.PROFILE.label,
    )
    section = models.ForeignKey(
        InvoiceSection,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="assignments",
        verbose_name=Scope.SECTION.label,
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("role assignment")
        verbose_name_plural = _("role assignments")
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=ROLES_OF[Scope.ACCOUNT], account__isnull=False, profile=None, section=None)
                | Q(role__in=ROLES_OF[Scope.PROFILE], account=None, profile__isnull=False, section=None)
                | Q(role__in=ROLES_OF[Scope.SECTION], account=None, profile=None, section__isnull=False),
                name="assignment_role_fits_its_one_scope",
                violation_error_message=_("Choose one scope, and a role that exists at that scope."),
            ),
            # One for each scope: a row has two scopes that are NULL, and no NULL equals another on every database.
            *(
                models.UniqueConstraint(
                    fields=["user", "role", scope],
                    name=f"assignment_once_per_{scope}",
                    violation_error_message=_("This person holds that role already."),
                )
                for scope in ("account", "profile", "section")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"

    @property
    def place(self) -> BillingAccount | BillingProfile | InvoiceSection:
        place = self.account or self.profile or self.section
        assert place is not None  # noqa: S101  a check constraint says so
        return place
