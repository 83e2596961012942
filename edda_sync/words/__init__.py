"""Words that all parts use: values, errors, limits, queries, paths. This package imports nothing else of ours."""
