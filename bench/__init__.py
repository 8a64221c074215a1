"""Figures that a claim about speed has to rest on. Nothing here is part of the product."""
