"""What must hold: one small class an invariant, with its number from the table in docs/simulations.md."""
