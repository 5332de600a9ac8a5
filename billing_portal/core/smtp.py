"""Mail by SMTP with the patience that RFC 5321 asks for, which tells when a mail may have arrived and nobody said so.

Between the last line of a mail and the server's answer the mail is the server's or ours, and a connection that ends
there leaves both sides unsure (RFC 1047). Impatience makes it worse: a server may take ten minutes for that answer.
"""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

DATA_TIMEOUT = 10 * 60  # seconds; RFC 5321, section 4.5.3.2.6


class MayHaveArrived(smtplib.SMTPException):
    """The connection ended while the server had the mail and had not said so."""


class _PatientData:
    """The step of `smtplib.SMTP` that hands the mail over."""

    sock: Any

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.sock.settimeout(DATA_TIMEOUT)
        try:
            answer: tuple[int, bytes] = super().data(msg)  # type: ignore[misc]  # of smtplib.SMTP, beside which it stands
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            # An SMTPDataError is an OSError too, and an answer: the server did not take the mail.
            if isinstance(error, smtplib.SMTPResponseException):
                raise
            raise MayHaveArrived(str(error)) from error
        return answer


class _Connection(_PatientData, smtplib.SMTP):
    pass


class _SecureConnection(_PatientData, smtplib.SMTP_SSL):
    pass


class EmailBackend(DjangoBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SecureConnection if self.use_ssl else _Connection
