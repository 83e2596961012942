"""What edda-sync costs, measured: ``python -m benchmarks`` prints every figure beside its aim and raw SQLite's."""
