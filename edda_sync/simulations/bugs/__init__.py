"""Planted bugs: a file for each part of the product; ``edda_sync.simulations.planted`` lists them all."""
