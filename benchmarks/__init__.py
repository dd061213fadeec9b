"""Measurements against the best tool for each job: ratios from one run on one machine, peers taking turns."""
