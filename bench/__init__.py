"""What `make bench` measures: paying against the bare statements, the invoice list against the length of the list, and
importing and closing a billing period against a plain COPY.

A time in seconds says more about the machine than about the portal, so each figure stands beside another one of the
same run, taken in turns with it: A, B, A, B. `docs/performance.md` explains what the figures mean.
"""
