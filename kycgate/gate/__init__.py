"""Sends requests, records exchanges and asks the judge."""
