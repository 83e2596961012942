"""Planted bugs: one small file for each part of the product; ``simulations.planted`` lists them all."""
