"""Faults on demand, for tests and the demo: ``gateway.faults.arm("drop_after", times=1)``. They are stored, to reach
other processes, and used up by the next calls of their operation (``charge`` unless said otherwise)."""

import time
from enum import StrEnum

from payments.gateways.base import GatewayError
from payments.gateways.sandbox.models import ArmedFault, transaction

OPERATIONS = (
    *("charge", "lookup", "expire", "refund", "lookup_refund", "lookup_dispute", "challenge", "records"),
    *("setup", "finish_setup", "expire_setup", "lookup_method", "detach"),
)


class Fault(StrEnum):
    REFUSE_CONNECTION = "refuse_connection"  # certainly not sent
    DROP_BEFORE = "drop_before"  # no answer, nothing done
    DROP_AFTER = "drop_after"  # done, but the answer is lost
    GARBAGE = "garbage"  # done, but the answer cannot be read
    SERVER_ERROR = "server_error"  # answered 500, nothing done; the answer is stored under the key
    DELAY = "delay"  # value: milliseconds to wait before it is done
    DELAY_ANSWER = "delay_answer"  # value: milliseconds between doing and answering
    OTHER_AMOUNT = "other_amount"  # value: the minor units taken instead
    OTHER_CURRENCY = "other_currency"  # value: the currency taken instead
    DECLINE = "decline"  # value: a DeclineCode


class NetworkTrouble(GatewayError):
    """The connection failed, in the sandbox's play of one."""


class CallFaults(dict[Fault, str]):
    def before(self) -> None:
        """Raises NetworkTrouble when the call does not get through."""
        time.sleep(int(self.get(Fault.DELAY, "0")) / 1000)
        if Fault.REFUSE_CONNECTION in self:
            raise NetworkTrouble("The connection was refused.", sent=False)
        if Fault.DROP_BEFORE in self:
            raise NetworkTrouble("No answer in time.")

    def after(self) -> None:
        """Raises NetworkTrouble when the answer does not get back."""
        time.sleep(int(self.get(Fault.DELAY_ANSWER, "0")) / 1000)
        if Fault.DROP_AFTER in self:
            raise NetworkTrouble("No answer in time.")
        if Fault.GARBAGE in self:
            raise NetworkTrouble("The answer could not be read.")


class Faults:
    def arm(self, name: str, *, times: int = 1, on: str = "charge", value: int | str = "") -> None:
        """The next ``times`` calls of the operation ``on`` meet this fault. Raises ValueError for unknown names."""
        if on not in OPERATIONS:
            raise ValueError(f"{on!r} is not an operation: {', '.join(sorted(OPERATIONS))}.")
        ArmedFault.objects.create(name=Fault(name).value, operation=on, value=str(value), remaining=times)

    def clear(self) -> None:
        ArmedFault.objects.all().delete()

    def take(self, operation: str) -> CallFaults:
        """The faults of one call, each used up by one."""
        waiting, armed = ArmedFault.objects.filter(operation=operation).order_by("pk"), CallFaults()
        if waiting.exists():
            with transaction():
                for row in waiting:
                    if row.name not in armed:
                        armed[Fault(row.name)] = row.value
                        row.remaining -= 1
                        row.save()
                waiting.filter(remaining__lte=0).delete()
        return armed
