"""What every gateway must do, whichever provider it speaks to. See `tests.payments.contract.benches`."""
