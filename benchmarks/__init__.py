"""What edda-sync costs, beside raw SQLite with the same durability, in one run. ``make bench`` prints the rows."""
