"""Words: what everything speaks: values, errors, limits, queries, paths. It imports nothing else of ours."""
