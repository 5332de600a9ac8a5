"""Close: from the charges of a period that has ended to an invoice, for every profile whose invoice day has come.

The work is found in the rows of the profiles (``next_invoice_on``) and done in chunks, each in a transaction of its
own: so many profiles are locked, those that another worker holds are passed over, and everything that follows from
closing their periods is written before the lock goes. A run that is killed leaves whole chunks; the next one finds what
is left, and nothing happens twice. That there is one closing for each profile and period is a constraint besides.

- An invoice holds the charges that happened before the end of the period and are on no invoice yet, so a charge that
  came in late is on the next invoice that closes. What happened later waits.
- Without charges nothing is issued, unless the profile wants an invoice all the same: one of zero, settled at once.
- When returns outweigh the charges, all of them wait for the next period.
- When days or months were missed, each period that ended meanwhile is closed in order and has an invoice of its own.
- The invoice date is the day on which the run really makes the invoice, where the profile is. That is the day the
  period closed when the run is on time; after a missed day it is later, because a due date must not lie in the past.
- A profile begins on the day it was made. One that is disabled is still billed for what it used; one that staff closed
  is passed over, and its periods are made up for if it is opened again.
"""

from invoices.operations.closing.choosing import how_many_wait
from invoices.operations.closing.running import close_due, close_periods
from invoices.operations.closing.writing import Closed

__all__ = ["Closed", "close_due", "close_periods", "how_many_wait"]
