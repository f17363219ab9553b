"""Proof under faults: buyers and sellers against a whole stack whose processes are killed and frozen at random.

`schedule` says what breaks when, `injector` breaks it; `buyers` and `sellers` act over HTTP through `caller`, and what
they were promised is kept in `ledger`; in the end `verdict` holds the promises against `stored`, beside the audit.
"""
