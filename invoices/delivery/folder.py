"""A folder for a document archive or another system to read: each document's files, written whole or not at all."""

import os
from pathlib import Path
from uuid import UUID

from invoices.delivery.base import Answer, NotNow, Parcel
from invoices.models import Delivery


class Folder:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def send(self, parcel: Parcel) -> Answer:
        """A file that is there already is written again with the same content."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for name, content, _media_type in parcel.files:
                # One name for each document, so that a try that failed leaves one such file at most; with the
                # permissions of this process (its umask), because another system reads it.
                unfinished = self.directory / f".{name}.{parcel.message_id}"
                with unfinished.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(self.directory / name)
        except OSError as error:
            raise NotNow(f"{type(error).__name__}: {error.strerror}") from error
        return Answer(Delivery.Status.DELIVERED)

    def look_up(self, message_id: UUID) -> Answer | None:  # noqa: ARG002  it is there once it was sent
        return None
