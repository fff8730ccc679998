"""Benchmarks: measurements that take longer than a test may. ``make bench`` lists them."""
