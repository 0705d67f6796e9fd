"""Simulations of risk, and what couples them."""

from twin.sim._compiled import keep_compiled_code

keep_compiled_code()
