"""Checking the trail."""
