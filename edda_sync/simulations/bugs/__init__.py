"""Planted bugs: one small file for each part of the product; ``edda_sync.simulations.planted`` lists them all."""
