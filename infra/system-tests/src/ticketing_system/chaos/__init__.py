"""Proof under faults: buyers and sellers against a whole stack whose processes are killed and frozen at random.

`schedule` plans the faults, `injector` causes them. `buyers` and `sellers` act over HTTP through `caller`, and `ledger`
stores what the responses promised. In the end `verdict` compares the promises with `stored`, in addition to the audit.
"""
