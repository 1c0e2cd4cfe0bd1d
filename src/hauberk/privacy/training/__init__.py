"""Differentially private training: DP-SGD, its accounting, and calibration to a target."""
